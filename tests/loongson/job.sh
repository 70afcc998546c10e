#!/bin/bash
# SPDX-License-Identifier: MIT
# job.sh - a whole job on a Loongson-3: the paper's calls through its registers
# timeout: 420
. tests/loongson/lib.sh

ROUNDS=12
# Of four ranks to three peers each: tests/e2e/prog/calls.c.
SMALL=$((12 * 8 * ROUNDS))
LARGE=$((12 * ROUNDS))

all_done() {
	(($(cat "$D/$1".*.out | grep -c '^done') == $2))
}

# held JOB: the job has done its work; its ranks wait to be looked at.
held() {
	there 0 touch /tmp/hold
	ranks_there "$1" 4 /snoo/e2e/calls "$ROUNDS" /tmp/hold
	[[ -z ${2:-} ]] || "$2" "$1"
	if eventually all_done "$1" 4; then
		pass "$1: four ranks, $SMALL small and $LARGE large messages"
	else
		fail "$1: four ranks, $SMALL small and $LARGE large messages" \
			"$(cat "$D/$1".*.out) $(admin ranks "$1")"
	fi
}

released() {
	there 0 rm /tmp/hold
	all_well "$1: every byte of every message is right" "$1" 4
	books_balance "$1: every byte of the pool is free again"
}

# In the midst of it.
look() {
	ok "$1: words flow" eventually flowing 0
	show "snooctl registers, during the job" snooctl --socket /run/snoo/admin.sock registers
	show "snooctl status, during the job" snooctl --socket /run/snoo/admin.sock status
}

boot 4
# Large messages are looked for in the pool; one copy would pass it by.
daemon_there --set domains.default.single_copy=false
is "the registers are in use" "$(status_field .registers.in_use)" hardware
is "those of a Loongson" "$(status_field .registers.backend)" loongson
is "with four cores" "$(status_field .registers.cores)" 4

held paper look
is "each rank has a core of its own" "$(admin ranks paper | jq -c '[.. | objects
	| select(has("counters")) | .core] | sort')" '[0,1,2,3]'
messages=$(status_field .registers.messages)
ok "small messages went through mailboxes: $messages of $SMALL" \
	test "$messages" -ge $((SMALL / 2)) -a "$messages" -le "$SMALL"
is "and are counted by their senders" "$(counted_there paper sent_mailbox)" \
	"$(admin status | jq '.registers | .messages + .copied')"
large=$(($(counted_there paper sent_block) + $(counted_there paper sent_streamed) + $(counted_there paper sent_run)))
is "large ones went through the pool" "$large" "$LARGE"
is "no bell was missed" "$(counted_there paper missed_bells)" 0
released paper

# What the kernel has in the same registers is as it was.
blocks=$(admin registers)
is "four cores are online" "$(jq '[.cores[] | select(.online)] | length' <<<"$blocks")" 4
is "their ENABLE is the kernel's" "$(jq -c '[.cores[].enable] | unique' <<<"$blocks")" '["0xffffffff"]'
is "and no word is left in a mailbox" \
	"$(jq -c '[.cores[].mailboxes[].type] | unique' <<<"$blocks")" '["empty"]'
daemon_ends

daemon_there --set registers=lines
is "with lines" "$(status_field .registers.in_use)" lines
held lines
is "no message goes through a mailbox" "$(counted_there lines sent_mailbox)" 0
released lines
daemon_ends
done_testing
