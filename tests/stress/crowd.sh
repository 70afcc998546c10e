#!/bin/bash
# SPDX-License-Identifier: MIT
# crowd.sh - more ranks than cores, beside one who computes and one who does not
#	     always: every way of waiting, and no wake-up is lost
# timeout: 3600
SNOO_STRESS_S=${SNOO_STRESS_S:-5}
export PROOF_ALARM_S=$((SNOO_STRESS_S + 120))
. tests/lib/e2e.sh

[[ -x $E2E/stream ]] || skip_all "the end-to-end programs are not built"
command -v taskset >/dev/null || skip_all "taskset is not installed"

# The ranks of a pair share a core; "rest" often sleeps, "busy" hardly ever.
core=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
jobs=(busy rest single)
daemon_start --pool-size 16M
bystander_start
export SNOO_CORE=$core
job busy 4 "$E2E/stream" -w 3 -p "$D/busy" -l 70000
job rest 3 "$E2E/stream" -w 2 -p "$D/rest" -u 300
job single 2 "$E2E/stream" -1 -p "$D/single" -l 2000
unset SNOO_CORE

# One who computes on that core, half of the time.
(while :; do
	timeout 0.2 taskset -c "$core" sh -c 'while :; do :; done'
	sleep 0.2
done) &
neighbour=$!
started+=("$neighbour")

# Rank 1 receives in each of them.
moved_on() { (($(counted "$D/$1" 1) > $2)); }
bad=
end=$((SECONDS + SNOO_STRESS_S))
while ((SECONDS < end)) && [[ -z $bad ]]; do
	for j in "${jobs[@]}"; do
		n=$(counted "$D/$j" 1)
		eventually moved_on "$j" "$n" || bad+="$j stands still at $n"$'\n'
	done
	sleep 0.2
done
if [[ -z $bad ]]; then
	pass "nine ranks on one core go on for $SNOO_STRESS_S s"
else
	fail "nine ranks on one core go on" "$bad"
fi
# sum COUNTER: of the three jobs' ranks.
sum() {
	admin ranks | jq --arg c "$1" '[.[] |
		select(.job == "busy" or .job == "rest" or .job == "single") |
		.counters[$c]] | add'
}
is "no bell was missed" "$(sum missed_bells)" 0
ok "they have yielded" test "$(sum yields)" -gt 0
ok "and slept" test "$(sum sleeps)" -gt 0
printf '# %s yields, %s sleeps\n' "$(sum yields)" "$(sum sleeps)"
e2e_kill KILL "$neighbour"
wait "$neighbour" 2>/dev/null
for j in "${jobs[@]}"; do
	e2e_kill TERM "${pid_of[$j.0]}"
done
all_well "every message of the busy ones was verified" busy 4
all_well "and of those that rest" rest 3
all_well "and of the blocking ones" single 2
bystander_end
books_balance "every byte of the pool is free again"
done_testing
