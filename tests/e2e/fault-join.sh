#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-join.sh - ranks that may not join: names, sizes, numbers, no daemon
. tests/lib/e2e.sh

# refused NAME REGEX JOB VARIABLE=VALUE...: one rank, alone, is told so.
refused() {
	local name=$1 re=$2 job=$3
	shift 3
	run_ends "$name" 3 "snoo_init: .*$re" env SNOO_SOCKET="$SOCKET" \
		SNOO_JOB="$job" "$@" "$E2E/stream" -n 1
}

refused "no daemon at all" "no snoo-daemon at $SOCKET.*snoorun" x
long=/tmp/$(printf 's%.0s' {1..120})
refused "a socket path that is too long" "at most 107" x SNOO_SOCKET="$long"
run_ends "no socket named, none found" 3 "no snoo-daemon at .*/nowhere.sock" \
	env SNOO_DOMAIN=nowhere "$E2E/stream" -n 1

daemon_start --pool-size 16M --set domains.default.ranks_max=8 \
	--set domains.default.job_ranks_max=4
bystander_start

refused "a name with a slash" "character 2" a/b
refused "a name with a space" "character 2" "a b"
refused "a name beyond ASCII" "character 2" "aÄ"
refused "a name that is too long" "64 characters.*63" \
	"$(printf 'n%.0s' {1..64})"
run_ends "the longest name" 0 'rank 0' env SNOO_SOCKET="$SOCKET" SNOO_RANK=0 \
	SNOO_SIZE=1 SNOO_JOB="$(printf 'n%.0s' {1..63})" "$E2E/stream" -n 1

refused "a rank that is no number" "SNOO_RANK=two.*number" x \
	SNOO_RANK=two SNOO_SIZE=2
refused "a negative rank" "SNOO_RANK=-1" x SNOO_RANK=-1 SNOO_SIZE=2
refused "a rank without a size" "SNOO_SIZE is not" x SNOO_RANK=0
refused "a rank beyond the size" "rank 2 .*2 ranks" x SNOO_RANK=2 SNOO_SIZE=2
refused "more ranks than a job may have" "SNOO_SIZE=2000" x \
	SNOO_RANK=0 SNOO_SIZE=2000
refused "more ranks than the domain has" "ranks_max" x \
	SNOO_RANK=0 SNOO_SIZE=9
refused "a launch that is no number" "SNOO_LAUNCH" x SNOO_RANK=0 SNOO_SIZE=1 \
	SNOO_LAUNCH=today
bystander_moves "while ranks are refused"

# A job that is still forming: rank 0 of 2 waits.
forming() {
	admin jobs | jq -e --arg j "$1" \
		'any(.[]; .job == $j and .joined == 1)' >/dev/null
}
rank half 0 2 "$E2E/stream" -n 10
ok "one of two ranks waits" eventually forming half
refused "the same name with another size" "forming with 2 ranks.*states 3" \
	half SNOO_RANK=1 SNOO_SIZE=3
refused "a rank number that is taken" "rank 0 .*taken by process" half \
	SNOO_RANK=0 SNOO_SIZE=2
refused "the name of an open job" "forming with 2 ranks|EEXIST|size" half \
	SNOO_RANK=5 SNOO_SIZE=6
rank half 1 2 "$E2E/stream" -n 10
all_well "the job forms all the same" half 2

# A rank that dies before the job is complete ends the others' wait.
rank broken 0 3 "$E2E/stream" -n 10
ok "one of three ranks waits" eventually forming broken
rank broken 1 3 "$E2E/stream" -n 10
two_there() {
	admin jobs | jq -e 'any(.[]; .job == "broken" and .joined == 2)' \
		>/dev/null
}
ok "two of three ranks wait" eventually two_there
e2e_kill KILL "${pid_of[broken.0]}"
finish broken
like "a rank dies while the job forms: the other is told" \
	"$(status broken 1) $(text broken 1)" \
	"^3 .*rank 0 ended before the job was complete"

# A time limit for joining.
refused "a time limit while others are missing" "time limit" lonely \
	SNOO_RANK=0 SNOO_SIZE=2 SNOO_TIMEOUT_MS=200

# More ranks than the domain's limit, all at once: 6 slots are left.
job full 6 "$E2E/stream" -u 1000 -l 100
six_there() {
	admin jobs | jq -e 'any(.[]; .job == "full" and .joined == 6)' \
		>/dev/null
}
ok "the domain is full" eventually six_there
refused "one rank more than the domain's limit" "all 8 are in use" extra \
	SNOO_RANK=0 SNOO_SIZE=1
bystander_moves "with the domain full"
for r in 0 1 2 3 4 5; do
	e2e_kill TERM "${pid_of[full.$r]}"
done
all_well "the full job ends well" full 6
run_ends "then there is room again" 0 'rank 0' env SNOO_SOCKET="$SOCKET" \
	SNOO_JOB=extra SNOO_RANK=0 SNOO_SIZE=1 "$E2E/stream" -n 1

if [[ $(id -u) == 0 ]] && setpriv --reuid=65534 --clear-groups true; then
	run_ends "a user without permission" 3 "no permission for $SOCKET" \
		env SNOO_SOCKET="$SOCKET" setpriv --reuid=65534 --regid=65534 \
		--clear-groups "$E2E/stream" -n 1
else
	skip "a user without permission" "needs root"
fi
bystander_end
books_balance "every byte of the pool is free again"

daemon_stop
is "the daemon stops" "$daemon_status" 0

# The daemon is stopped for good under a job: what flows goes on, but nobody
# would tell of a death, so a rank that waits in vain is told that.
daemon_start --pool-size 16M
bystander_start
daemon_stop
bystander_moves "after its daemon was stopped"
e2e_kill KILL "${pid_of[bystander.1]}"
ends "then its partner dies" bystander 0 3 "the daemon has ended this session"
done_testing
