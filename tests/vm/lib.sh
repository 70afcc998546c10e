# SPDX-License-Identifier: MIT
# lib.sh - daemons, guests, ranks on both sides: . tests/vm/lib.sh
# shellcheck shell=bash
#
# All of tests/lib/e2e.sh and tests/vm/guest.sh, and:
#
#   host_start [OPTION...]   a daemon with VM slots ($VM_SLOTS, the host's too)
#   boot NAME [KEY=VALUE]    vm_start; a test in which it comes up is vm_live
#   vm_live NAME [BOOTS]     a test: up, and welcomed by the host daemon
#   vm_is NAME STATE         is that its state?  free: no VM of that name
#   vm_field NAME FIELD      of what `snooctl vms` says of it
#   guest_field NAME FIELD   of what `snooctl status` says inside it
#   guest_rank JOB RANK SIZE VM UID COMMAND...   as rank, in a guest
#   guest_has VM REGEX       does its daemon's log say so?
#   told_dead NAME JOB VICTIM SIZE   a test: all others have had what it sent,
#                            were told, and end well
#   flows FILE RANK WHEN     a test: a stream's rank on the host receives more
#   together NAME JOB SIZE MORE...  a test: a short stream among ranks on
#                            the host and, for each VM[:UID] of MORE, one there
#   qemu_refused NAME REGEX  a test: it ends by itself, saying so
#   wakes FROM TO            a test: TO (host or VM[:UID]) sleeps, FROM wakes it
#   no_bell_missed WHEN      a test: of all ranks that are attached
#   eventually_s S COMMAND   eventually, with another limit
#
# A command for guests is found by its path there: /snoo/e2e/stream.

# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/vm/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

VM_SLOTS=${VM_SLOTS:-4}
GUEST_SOCKET=/run/snoo/default.sock
# Several guests share the cores with their host; a bystander lives all along.
PROOF_ALARM_S=600
E2E_WAIT_S=40

vm_end() {
	e2e_cleanup_guests
	e2e_cleanup
}
# The ranks in guests end by their guests' end.
e2e_cleanup_guests() {
	# shellcheck disable=SC2154 # of tap.sh
	if ((tap_bad)) && [[ -n ${!vm_pid[*]} ]]; then
		local name
		for name in "${!vm_pid[@]}"; do
			vm_tell "$name" | sed 's/^/# /'
			tail -n 15 "$D/$name.log" 2>/dev/null | sed 's/^/# /'
		done
		tail -n 30 "$D/daemon.log" | sed 's/^/# daemon: /'
	fi
	vm_cleanup
}
trap vm_end EXIT

[[ -z ${SAN:-} ]] || skip_all "guests run what was built without sanitizers"
image_says=$(vm_image 2>&1)
case $? in
0) ;;
77) skip_all "${image_says##*$'\n'}" ;;
*)
	fail "the guests' kernel and initramfs" "$image_says"
	done_testing
	exit 1
	;;
esac

host_start() {
	daemon_start --set "domains.default.ivshmem.slots=$VM_SLOTS" "$@"
}

eventually_s() {
	local E2E_WAIT_S=$1
	shift
	eventually "$@"
}

# ---- what is known of a VM ----

vm_field() {
	admin vms 2>/dev/null | jq -r --arg n "$1" --arg f "$2" \
		'[.. | objects | select(.name? == $n and has("state"))][0][$f]'
}

vm_is() {
	local state
	state=$(vm_field "$1" state)
	[[ $2 == free && $state == null ]] || [[ $state == "$2" ]]
}

guest_ctl() {
	vm_cmd "$1" 0 snooctl --json --socket /run/snoo/admin.sock "${@:2}"
}

guest_field() {
	guest_ctl "$1" status | jq -r --arg f "$2" '.[$f]'
}

guest_log() {
	vm_cmd "$1" 0 cat /run/snoo/daemon.log | tee "$D/$1.log"
}

guest_has() {
	guest_log "$1" | grep -qE "$2"
}

boot() {
	vm_start "$@" || fail "$1 starts" "$(cat "$D/$1.qemu" 2>/dev/null)"
}

vm_live() {
	if vm_up "$@" && eventually vm_is "$1" live; then
		pass "$1 is up, in slot $(vm_field "$1" slot)"
	else
		fail "$1 is up, and welcomed" "state: $(vm_field "$1" state)
$(vm_tell "$1")
$(timeout -s KILL 10 "$VM_BIN/cmd" "$D/$1.cmd" 0 cat /run/snoo/daemon.log)
$(admin vms)"
	fi
}

qemu_refused() {
	if eventually vm_ended "$1"; then
		wait "${vm_pid[$1]}"
		is "$1: QEMU ends by itself, not by a signal" $? 1
		like "$1: and says why" "$(cat "$D/$1.qemu")" "${2:-expecting 0}"
	else
		fail "$1: QEMU ends by itself" "$(vm_tell "$1")"
	fi
	vm_stop "$1"
}

# ---- ranks ----

guest_rank() {
	local job=$1 r=$2 size=$3 vm=$4 uid=$5
	shift 5
	"$VM_BIN/cmd" "$D/$vm.cmd" "$uid" env "SNOO_SOCKET=$GUEST_SOCKET" \
		"SNOO_JOB=$job" "SNOO_RANK=$r" "SNOO_SIZE=$size" \
		"PROOF_ALARM_S=$PROOF_ALARM_S" ${SNOO_TIMEOUT_MS:+"SNOO_TIMEOUT_MS=$SNOO_TIMEOUT_MS"} \
		"$@" >"$D/$job.$r.out" 2>&1 </dev/null &
	pid_of[$job.$r]=$!
	started+=("$!")
}

# mixed JOB HOST-RANKS VM[:UID]... -- OPTION...: streams, the host's count in
# $D/JOB.
mixed() {
	local job=$1 hosts=$2 r size place
	local -a guests=()
	shift 2
	while [[ $# -gt 0 && $1 != -- ]]; do
		guests+=("$1")
		shift
	done
	shift
	size=$((hosts + ${#guests[@]}))
	rm -f "$D/$job"
	for ((r = 0; r < hosts; r++)); do
		rank "$job" "$r" "$size" "$E2E/stream" -p "$D/$job" "$@"
	done
	for place in "${guests[@]}"; do
		at "$job" "$r" "$size" "$place" "$@"
		r=$((r + 1))
	done
}

together() {
	local name=$1 job=$2 hosts=$3
	shift 3
	mixed "$job" "$hosts" "$@" -- -n 150 -l 70000
	all_well "$name" "$job" $((hosts + $#))
}

# at JOB RANK SIZE WHERE OPTION...: one stream's rank, wherever it is.
at() {
	local job=$1 r=$2 size=$3 place=$4
	shift 4
	if [[ $place == host ]]; then
		rank "$job" "$r" "$size" "$E2E/stream" "$@"
		return
	fi
	[[ $place == *:* ]] || place+=:1001
	guest_rank "$job" "$r" "$size" "${place%:*}" "${place#*:}" \
		/snoo/e2e/stream "$@"
}

# Rank 0 rests, so that rank 1, which has nothing else to do, goes to sleep.
wakes() {
	local job
	job=wake-${1//[^a-z0-9]/}-${2//[^a-z0-9]/}
	at "$job" 0 2 "$1" -u 20000 -l 4096 -w 1
	at "$job" 1 2 "$2" -l 4096 -w 1
	if eventually has_slept "$job" 1 20; then
		pass "a rank of $2 sleeps, and is woken from $1"
	else
		fail "a rank of $2 sleeps, and is woken from $1" "$(admin ranks "$job")"
	fi
	no_bell_missed "$2 woken from $1"
	end_of "$job" 2 "and all is verified"
}
has_slept() {
	(($(admin ranks "$1" | jq --argjson r "$2" '[.. | objects
		| select(has("counters") and .rank == $r) | .counters.sleeps][0] // 0') > $3))
}

# end_of JOB SIZE NAME: a test; told to end, its streams have verified all.
end_of() {
	local r
	for ((r = 0; r < $2; r++)); do
		e2e_kill TERM "${pid_of[$1.$r]}"
	done
	all_well "$3" "$1" "$2"
}

# Streams of -k VICTIM end with what it sent, or by its death; TERM ends those
# among the others.
told_dead() {
	local r bad=
	for ((r = 0; r < $4; r++)); do
		((r == $3)) || e2e_kill TERM "${pid_of[$2.$r]}"
	done
	# The victim may live on where the host cannot reach it.
	for ((r = 0; r < $4; r++)); do
		((r == $3)) && continue
		wait "${pid_of[$2.$r]}" 2>/dev/null
		status_of[$2.$r]=$?
		unset "pid_of[$2.$r]"
	done
	e2e_kill KILL "${pid_of[$2.$3]}"
	finish "$2"
	for ((r = 0; r < $4; r++)); do
		((r == $3)) || [[ $(status "$2" "$r") == 0 ]] ||
			bad+="rank $r: status $(status "$2" "$r") $(text "$2" "$r")"$'\n'
	done
	if [[ -z $bad ]]; then pass "$1"; else fail "$1" "$bad"; fi
}

beyond() {
	(($(counted "$1" "$2") > $3))
}

flows() {
	local before
	before=$(counted "$1" "$2")
	if eventually beyond "$1" "$2" $((before + 10)); then
		pass "$3"
	else
		fail "$3" "$before messages, then $(counted "$1" "$2")
$(tail -n 3 "$1".*.out)
$(admin ranks)"
	fi
}

no_bell_missed() {
	is "no bell missed: $1" "$(admin ranks | jq -c \
		'[.. | objects | select(has("counters")) | .counters.missed_bells] | add // 0')" 0
}
