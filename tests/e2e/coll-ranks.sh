#!/bin/bash
# SPDX-License-Identifier: MIT
# coll-ranks.sh - collectives of 1 to 16 ranks: every byte is checked; a rank
#                 that is killed ends them for all others
# timeout: 240
. tests/lib/e2e.sh

export PROOF_ALARM_S=200
daemon_start --pool-size 64M
bystander_start

for n in 1 2 3 4 5 7 8; do
	job all "$n" "$E2E/collect" 34
	all_well "all collectives of $n ranks" all "$n"
done
# More than fit under one node, and many more ranks than cores.
job all 16 "$E2E/collect" 17 3000
all_well "all collectives of 16 ranks" all 16
bystander_moves "beside them"

going() {
	text dying "$1" | grep -q going
}

# One round: rank VICTIM of N, some time after it has begun.
kill_one() {
	local n=$1 victim=$2 r bad=
	job dying "$n" "$E2E/collect" -d
	eventually going "$victim"
	sleep "0.0$((RANDOM % 10))"
	e2e_kill KILL "${pid_of[dying.$victim]}"
	finish dying
	for ((r = 0; r < n; r++)); do
		((r == victim)) && continue
		[[ $(status dying $r) == 0 ]] ||
			bad+="rank $r: $(status dying $r) $(text dying $r)"$'\n'
	done
	if [[ -z $bad ]]; then
		pass "$n ranks, rank $victim is killed: all others hear of it"
	else
		fail "$n ranks, rank $victim is killed: all others hear of it" "$bad"
	fi
}

for i in 0 1 2 3 4 5; do
	kill_one 4 $((i % 4))
done
for i in 0 5 11; do
	kill_one 12 "$i"
done
bystander_moves "while ranks are killed"

# A new daemon in the middle of it.
job during 3 "$E2E/collect" 150 3000
eventually grep -q "job=during.*rank=2" "$D/daemon.log"
e2e_kill USR1 "$daemon_pid"
all_well "a daemon that hands over in the middle is not noticed" during 3

bystander_end
books_balance "every byte of the pool is free again"
done_testing
