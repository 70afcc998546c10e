#!/bin/bash
# SPDX-License-Identifier: MIT
# kill-rank.sh - kill -9 of a rank at any moment
#
# The victim counts the messages whose send is complete in a file that
# outlives it; its partners must get at least those, in order, then
# -EOWNERDEAD; the pool's books balance; the next job of the name runs.
# timeout: 240
. tests/lib/e2e.sh

daemon_start --pool-size 16M
bystander_start
rounds=${KILL_ROUNDS:-12}

# Some messages later, at an instant that no message decides: not before the
# first, because a rank that never joined is waited for.
further() {
	(($(counted "$D/counts" "$1") >= $2))
}

# One round: victim R of N, after about M messages.
kill_one() {
	local n=$1 victim=$2 after=$3 r
	shift 3
	rm -f "$D/counts"
	job dying "$n" "$E2E/stream" -p "$D/counts" -k "$victim" "$@"
	eventually further "$victim" "$after"
	e2e_kill KILL "${pid_of[dying.$victim]}"
}

survivors() {
	local name=$1 n=$2 victim=$3 r bad=
	if ((n > 2)); then
		for ((r = 0; r < n; r++)); do
			((r == victim)) || e2e_kill TERM "${pid_of[dying.$r]}"
		done
	fi
	finish dying
	for ((r = 0; r < n; r++)); do
		((r == victim)) && continue
		[[ $(status dying $r) == 0 ]] ||
			bad+="rank $r: $(status dying $r) $(text dying $r)"$'\n'
	done
	[[ $(status dying "$victim") == 137 ]] ||
		bad+="victim: $(status dying "$victim") $(text dying "$victim")"
	if [[ -z $bad ]]; then pass "$name"; else fail "$name" "$bad"; fi
}

for ((i = 0; i < rounds; i++)); do
	v=$((i % 2))
	kill_one 2 $v $((1 + RANDOM % 400)) -l $((RANDOM * 8 + 100))
	survivors "round $i: two ranks, rank $v is killed" 2 $v
done
for ((i = 0; i < rounds / 3; i++)); do
	kill_one 4 $((i % 4)) $((1 + RANDOM % 200)) -l 65536
	survivors "round $i: four ranks, rank $((i % 4)) is killed" 4 $((i % 4))
done
for ((i = 0; i < rounds / 3; i++)); do
	# The count of a one-way stream stands at the receiver.
	rm -f "$D/counts"
	job dying 2 "$E2E/stream" -p "$D/counts" -k $((i % 2)) -1
	eventually further 1 $((1 + RANDOM % 500))
	e2e_kill KILL "${pid_of[dying.$((i % 2))]}"
	survivors "round $i: blocking calls, rank $((i % 2)) is killed" 2 \
		$((i % 2))
done
bystander_moves "while ranks are killed"

# A partner that sleeps in a call is woken by the death, not by its own look
# after a second: no bell is missed.
job waiter 2 "$E2E/safe" barrier 1
all_well "a job in peace" waiter 2
kill_one 3 0 50 -l 1000
survivors "partners that wait for the dead" 3 0
job dying 2 "$E2E/stream" -n 300
all_well "the next job of the name runs at once" dying 2

# All of a job at once, one after the other, while they start.
for delay in 0 0.002 0.005 0.01 0.02; do
	job young 3 "$E2E/stream" -n 100000000
	sleep "$delay"
	for r in 0 1 2; do
		e2e_kill KILL "${pid_of[young.$r]}"
	done
	finish young
done
job young 3 "$E2E/stream" -n 50
all_well "after five jobs that were killed as they started" young 3

bystander_end
books_balance "every byte of the pool is free again"
is "the daemon has not been started again" \
	"$(grep -c ' ready version' "$D/daemon.log")" 1
done_testing
