# SPDX-License-Identifier: MIT
# machine.sh - an emulated Loongson-3, driven from here: . tests/loongson/machine.sh
# shellcheck shell=bash
#
#   machine_image             kernel, initramfs, emulator, made if need be; 77: cannot
#   machine_start CORES       QEMU in the background
#   machine_up                wait until its agent answers
#   there UID COMMAND...      run it there: its output, its exit status
#   machine_ended             has QEMU ended?
#   machine_tell              what QEMU and the kernel said last
#   machine_stop              the end of it
#   boot CORES                a test: it comes up, with all of them
#   relay NAME UID COMMAND... a test for each of those that the command prints
#
# All of tests/lib/tap.sh, too.  As tests/vm/guest.sh, with one machine and no
# devices but the memory that tests/loongson/prog/ferry.c speaks through.  Needs
# B (the build); D is a folder for sockets and logs.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"

: "${B:=build}"
MACHINE_DIR=$B/loongson
MACHINE_QEMU=$MACHINE_DIR/qemu/usr/bin/qemu-system-mips64el
MACHINE_WAIT_S=${MACHINE_WAIT_S:-120}	# emulated, on a busy host
MACHINE_CMD_S=${MACHINE_CMD_S:-120}	# of one command there; ends what hangs
VM_BIN=$B/vm/prog
machine_pid=
machine_helpers=()

machine_image() {
	"$(dirname "${BASH_SOURCE[0]}")/image.sh" "$MACHINE_DIR"
}

# One thread for all cores and a clock of timer interrupts: with more threads
# QEMU's emulation of this machine is not safe, and with the cores' own counters
# time jumps, because the counters differ.
machine_start() {
	local cores=$1 shim=0x0f800000 k append
	local -a args
	append="console=ttyS0,115200 printk.devkmsg=on loglevel=6 panic=1"
	append+=" clocksource=jiffies nohz=off highres=off"
	args=(-M loongson3-virt -cpu Loongson-3A4000 -smp "$cores" -m 1024
		-accel "tcg,thread=single"
		-nodefaults -no-user-config -display none -monitor none -no-reboot
		-serial "file:$D/console"
		-kernel "$MACHINE_DIR/vmlinuz" -initrd "$MACHINE_DIR/initramfs"
		-append "$append"
		-object "memory-backend-file,id=deck,share=on,mem-path=$D/deck,size=1M"
		-device "ivshmem-plain,memdev=deck"
		-device "loader,file=$MACHINE_DIR/shim.bin,addr=$shim,force-raw=on"
		-device "loader,addr=0x0f802000,data=$cores,data-len=4")
	# The last vCPU is core 0, which boots.
	for ((k = 0; k < cores - 1; k++)); do
		args+=(-device "loader,addr=0xffffffff8f800000,cpu-num=$k")
	done
	rm -f "$D/deck" "$D/port" "$D/cmd"
	truncate -s 1M "$D/deck"
	QEMU_MODULE_DIR=$MACHINE_DIR/no-modules setpriv --pdeathsig KILL \
		"$MACHINE_QEMU" "${args[@]}" >"$D/qemu" 2>&1 </dev/null &
	machine_pid=$!
	"$MACHINE_DIR/prog/ferry" "$D/deck" "$D/port" "$machine_pid" \
		>"$D/ferry" 2>&1 </dev/null &
	machine_helpers=($!)
	"$VM_BIN/link" "$D/port" "$D/cmd" >"$D/link" 2>&1 </dev/null &
	machine_helpers+=($!)
}

machine_ended() {
	local s
	s=$(cat "/proc/$machine_pid/stat" 2>/dev/null) || return 0
	s=${s##*) }
	[[ ${s:0:1} == [ZX] ]]
}

machine_up() {
	local end=$((SECONDS + MACHINE_WAIT_S)) n
	until n=$("$VM_BIN/cmd" "$D/cmd" boots 2>/dev/null) && ((n > 0)); do
		machine_ended && return 1
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

machine_tell() {
	cat "$D/qemu" "$D/ferry" "$D/link"
	printf 'the console:\n'
	tail -n 30 "$D/console"
}

# In the background it is the process itself, so that $! can be killed.
there() {
	local -a c=(timeout -k 5 "$MACHINE_CMD_S" "$VM_BIN/cmd" "$D/cmd" "$@")
	((BASHPID == $$)) || exec "${c[@]}"
	"${c[@]}"
}

# It has nothing to save.
machine_stop() {
	[[ -n $machine_pid ]] || return 0
	kill -KILL "$machine_pid" "${machine_helpers[@]}" 2>/dev/null
	wait "$machine_pid" "${machine_helpers[@]}" 2>/dev/null
	machine_pid=
	machine_helpers=()
}

# ---- tests ----

# Short: a socket's path has at most 107 bytes.
D=$(mktemp -d /tmp/snoo-ls.XXXXXX)

machine_end() {
	# shellcheck disable=SC2154 # of tap.sh
	((!tap_bad)) || [[ -z $machine_pid ]] || machine_tell | sed 's/^/# /'
	machine_stop
	[[ -n ${E2E_KEEP:-} ]] || rm -rf "$D"
}
trap machine_end EXIT
trap 'exit 130' INT TERM

[[ -z ${SAN:-} ]] || skip_all "the machine runs what was built without sanitizers"
machine_says=$(machine_image 2>&1)
case $? in
0) ;;
77) skip_all "${machine_says##*$'\n'}" ;;
*)
	fail "emulator, kernel and initramfs" "$machine_says"
	done_testing
	exit 1
	;;
esac

boot() {
	machine_stop
	machine_start "$1"
	if machine_up; then
		is "a Loongson-3 with $1 cores is up" \
			"$(there 0 cat /sys/devices/system/cpu/online)" "0-$(($1 - 1))"
	else
		fail "a Loongson-3 with $1 cores is up"
		done_testing
		exit 1
	fi
}

# One line of TAP, CMocka's too.
relay_line() {
	local re='^(not )?ok [0-9]+( -)? *(# *[Ss][Kk][Ii][Pp])? *(.*)$'
	[[ $1 =~ $re ]] || return 0
	relay_n=$((relay_n + 1))
	if [[ -n ${BASH_REMATCH[3]} ]]; then
		skip "$relay_name: ${BASH_REMATCH[4]}" "it says so"
	elif [[ -n ${BASH_REMATCH[1]} ]]; then
		fail "$relay_name: ${BASH_REMATCH[4]}"
		relay_bad=1
	else
		pass "$relay_name: ${BASH_REMATCH[4]}"
	fi
}

relay() {
	local relay_name=$1 relay_n=0 relay_bad=0 line rc
	shift
	[[ -z ${RELAY_TIME:-} ]] || echo "# $relay_name $SECONDS"
	there "$1" env CMOCKA_MESSAGE_OUTPUT=TAP "${@:2}" >"$D/relay" 2>&1
	rc=$?
	while IFS= read -r line; do
		relay_line "$line"
	done <"$D/relay"
	if ((rc == 77 && !relay_n)); then
		skip "$relay_name" "$(tail -n 1 "$D/relay")"
	elif ((!relay_bad && (rc || !relay_n))); then
		fail "$relay_name: ends well" "status $rc, $relay_n results"
		relay_bad=1
	fi
	((!relay_bad)) || sed 's/^/# /' "$D/relay"
}
