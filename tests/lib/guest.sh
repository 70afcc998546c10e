# SPDX-License-Identifier: MIT
# guest.sh - a VM's daemon beside a host's: . tests/lib/guest.sh
# shellcheck shell=bash
#
#   host_start [OPTION...]     daemon_start, with slots for VMs
#   guest_start [OPTION...]    a daemon of role guest in $V, whose devices are
#                              the host's ivshmem sockets; $guest_pid
#   guest_stop                 SIGTERM, wait; $guest_status
#   guest_worker               pid of the process that serves
#   guest_ready, host_ready    how often they said so
#   beyond COUNT COMMAND...    a condition: the command prints more than COUNT
#   mixed JOB SIZE CMD...      even ranks on the host, odd ones in the guest
#   guest_admin VERB...        what its snooctl says, as JSON
#   guest_is FILTER WANT       a condition: jq FILTER of the guest's status
#   across_start, across_moves WHEN, across_end    a verified stream between a
#                              rank of each kernel, as bystander_*
#
# The guest is a guest but for its kernel: it has the memory and the eventfds
# by itself, and everything else over the control channel.

. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

V=$D/vm
GUEST_SOCKET=$V/default.sock
guest_pid=
guest_status=

guest_cleanup() {
	if [[ -n $guest_pid ]]; then
		local p
		p=$(guest_worker)
		e2e_kill TERM "$guest_pid"
		eventually e2e_ended "$guest_pid" || {
			e2e_kill KILL "$guest_pid"
			[[ -n $p ]] && e2e_kill KILL "$p"
		}
	fi
	e2e_cleanup
}
trap guest_cleanup EXIT

host_start() {
	daemon_start --pool-size 16M --set domains.default.ivshmem.slots=4 \
		--set domains.default.ivshmem.vectors=4 "$@"
}

guest_launch() {
	[[ ${SAN:-} == *address* ]] && set -- "$@" --set seccomp=off
	"$BIN/snoo-daemon" --runtime-dir "$V" --set role=guest \
		--set "guest.data_device=$D/default.ivshmem.sock" \
		--set "guest.control_device=$D/default.control.sock" \
		"$@" >"$D/guest.log" 2>&1 &
	guest_pid=$!
}

guest_start() {
	guest_launch "$@"
	eventually guest_is .host live || {
		fail "the guest's daemon is taken in by the host" \
			"$(cat "$D/guest.log" "$D/daemon.log")"
		done_testing
		exit 1
	}
}

guest_stop() {
	e2e_kill TERM "$guest_pid"
	eventually e2e_ended "$guest_pid" || e2e_kill KILL "$guest_pid"
	wait "$guest_pid"
	# shellcheck disable=SC2034
	guest_status=$?
	guest_pid=
}

guest_worker() {
	cat "$V/default.lock" 2>/dev/null
}

guest_ready() {
	grep -c " ready version" "$D/guest.log"
}

host_ready() {
	grep -c " ready version" "$D/daemon.log"
}

beyond() {
	local n=$1
	shift
	(($("$@") > n))
}

guest_admin() {
	"$BIN/snooctl" --json --socket "$V/admin.sock" "$@"
}

guest_is() {
	[[ $(guest_admin status 2>/dev/null | jq -r "$1") == "$2" ]]
}

mixed() {
	local job=$1 size=$2 r
	shift 2
	for ((r = 0; r < size; r++)); do
		if ((r % 2)); then
			SOCKET=$GUEST_SOCKET rank "$job" "$r" "$size" "$@"
		else
			rank "$job" "$r" "$size" "$@"
		fi
	done
}

# ---- a stream across ----

across_start() {
	rm -f "$D/across"
	mixed across 2 "$E2E/stream" -u 300 -l 65536 -p "$D/across" "$@"
	across_moves "before"
}

across_beyond() {
	(($(counted "$D/across" 0) > $1 && $(counted "$D/across" 1) > $2))
}

across_moves() {
	local a b
	a=$(counted "$D/across" 0)
	b=$(counted "$D/across" 1)
	if eventually across_beyond $((${a:-0} + 20)) $((${b:-0} + 20)); then
		pass "across: the stream between the kernels goes on: $1"
	else
		fail "across: the stream between the kernels goes on: $1" \
			"$a and $b messages, then $(counted "$D/across" 0) and $(counted "$D/across" 1)
$(tail -n 3 "$D"/across.*.out)
$(tail -n 10 "$D/daemon.log")
$(tail -n 10 "$D/guest.log")"
	fi
}

across_end() {
	across_moves "${1:-afterwards}"
	e2e_kill TERM "${pid_of[across.0]}"
	e2e_kill TERM "${pid_of[across.1]}"
	all_well "across: every message verified, no bell missed" across 2
}
