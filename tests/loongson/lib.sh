# SPDX-License-Identifier: MIT
# lib.sh - the Loongson machine, a daemon and ranks on it: . tests/loongson/lib.sh
# shellcheck shell=bash
#
# All of tests/lib/e2e.sh and tests/loongson/machine.sh, and:
#
#   boot CORES               a test: it comes up, with all of them
#   relay NAME UID COMMAND...  a test for each of those that the command prints
#   daemon_there [OPTION...] a test: a daemon with the registers in its hands
#   daemon_ends              a test: it stops as asked
#   ranks_there JOB SIZE COMMAND...  all ranks of a job, as an ordinary user
#   show TITLE COMMAND...    what it prints there, as a comment
#   status_field PATH        of what `snooctl status` says
#   counted_there JOB NAME   a counter of all ranks of a job, together
#   flowing N                more than N messages have gone through mailboxes
#
# admin, finish, all_well, ends and books_balance are about the daemon there.

# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/loongson/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

# The cores take turns on one thread of a host that others use, too.
E2E_WAIT_S=60
PROOF_ALARM_S=150
USER_THERE=1001

machine_end() {
	# shellcheck disable=SC2154 # of tap.sh
	if ((tap_bad)) && [[ -n $machine_pid ]]; then
		machine_tell | sed 's/^/# /'
		MACHINE_CMD_S=10 there 0 tail -n 30 /run/snoo/daemon.log 2>&1 |
			sed 's/^/# daemon: /'
	fi
	machine_stop
	e2e_cleanup
}
trap machine_end EXIT

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

# ---- a daemon and ranks ----

admin() {
	there 0 snooctl --json --socket /run/snoo/admin.sock "$@"
}

show() {
	local title=$1
	shift
	printf '# %s\n' "$title"
	there 0 "$@" 2>&1 | sed 's/^/#   /'
}

status_field() {
	admin status | jq -r "$1"
}

daemon_there() {
	if there 0 daemon start --set hal=loongson --set registers=hardware \
		--set registers_in_guest=true "$@"; then
		pass "a daemon starts, with the registers"
	else
		fail "a daemon starts, with the registers"
		done_testing
		exit 1
	fi
}

daemon_ends() {
	there 0 daemon stop
	is "the daemon stops as asked" $? 0
}

ranks_there() {
	local job=$1 size=$2 r
	shift 2
	for ((r = 0; r < size; r++)); do
		"$VM_BIN/cmd" "$D/cmd" $USER_THERE env \
			SNOO_SOCKET=/run/snoo/default.sock "SNOO_JOB=$job" \
			"SNOO_RANK=$r" "SNOO_SIZE=$size" \
			"PROOF_ALARM_S=$PROOF_ALARM_S" "$@" \
			>"$D/$job.$r.out" 2>&1 </dev/null &
		pid_of[$job.$r]=$!
		started+=("$!")
	done
}

flowing() {
	(($(status_field .registers.messages) > $1))
}

counted_there() {
	admin ranks "$1" | jq --arg n "$2" '[.. | objects
		| select(has("counters")) | .counters[$n]] | add // 0'
}
