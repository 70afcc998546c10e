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
#
# As tests/vm/guest.sh, with one machine and no devices but the memory that
# tests/loongson/prog/ferry.c speaks through.  Needs D (a folder for sockets and
# logs, with a short name) and B (the build).

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
