#!/bin/bash
# SPDX-License-Identifier: MIT
# meet.sh - a rank is killed as it arrives at a collective, before the others
#	    may see it and after: all of them hear of it
# timeout: 200
#
# Needs the test-point build: $TP/bin, $TP/e2e.
export PROOF_ALARM_S=${PROOF_ALARM_S:-30}
TP=${TP:-$PWD/${B:-build}/tp}
BIN=$TP/bin
E2E=$TP/e2e
. tests/lib/e2e.sh

[[ -x $E2E/collect ]] || skip_all "the test-point build is not there"

daemon_start --pool-size 64M
bystander_start

# crash POINT PASSAGE RANKS VICTIM: fills $bad.
crash() {
	local point=$1 nth=$2 n=$3 victim=$4 r
	for ((r = 0; r < n; r++)); do
		if ((r == victim)); then
			SNOO_TESTPOINT=$point:$nth rank dying "$r" "$n" "$E2E/collect" -d
		else
			rank dying "$r" "$n" "$E2E/collect" -d
		fi
	done
	finish dying
	[[ $(status dying "$victim") == 137 ]] ||
		bad+="$n ranks, passage $nth: rank $victim did not die: $(status dying "$victim") $(text dying "$victim")"$'\n'
	for ((r = 0; r < n; r++)); do
		((r == victim)) || [[ $(status dying "$r") == 0 ]] ||
			bad+="$n ranks, passage $nth, without $victim: rank $r: $(status dying "$r") $(text dying "$r")"$'\n'
	done
}

# Two ranks; all that look at each other; more, who arrive by nodes, where one
# passage is at a node of the tree.
for point in $(grep -ohE 'SNOO_TESTPOINT\("meet_[a-z]+"\)' shm/meet.c |
	sed 's/.*("//; s/").*//' | sort -u); do
	for n in 2 5 10; do
		bad=
		for nth in 1 2 7 60; do
			crash "$point" "$nth" "$n" $((nth % n))
		done
		is "a rank of $n is killed at $point, four passages" "$bad" ""
	done
done
bystander_end
books_balance "every byte of the pool is free again"
done_testing
