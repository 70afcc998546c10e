#!/bin/bash
# SPDX-License-Identifier: MIT
# hotplug.sh - a core goes and comes back under a job that uses its registers
#
# With three cores: the kernel's code for a core that goes offline looks at the
# register block by EBase, and of the numbers that QEMU gives (shim.S) only the
# middle one of three is its own.
# timeout: 420
. tests/loongson/lib.sh

cpu1=/sys/devices/system/cpu/cpu1/online

received() {
	counted_there stream received
}

# flows WHEN: all three ranks receive, and words go through mailboxes.
more() {
	(($(received) > $1 + 60 && $(status_field .registers.messages) > $2 + 10))
}
flows() {
	local a b
	a=$(received)
	b=$(status_field .registers.messages)
	if eventually more "$a" "$b"; then
		pass "messages flow, through mailboxes too: $1"
	else
		fail "messages flow, through mailboxes too: $1" "received $a, then $(received)
mailboxes $b, then $(admin status | jq -c .registers)
$(tail -n 3 "$D"/stream.*.out)"
	fi
}

cores_are() {
	[[ $(status_field .registers.cores) == "$1" ]]
}

boot 3
daemon_there
ranks_there stream 3 /snoo/e2e/stream -u 2000 -l 4096 -w 2
flows "three cores"
for round in 1 2; do
	changes=$(status_field .registers.core_changes)
	ok "round $round: core 1 goes offline" there 0 sh -c "echo 0 >$cpu1"
	ok "round $round: the daemon sees two cores" eventually cores_are 2
	is "round $round: its block is left alone" \
		"$(admin registers | jq -c '.cores[] | select(.cpu == 1) | [.online, .mailboxes]')" \
		'[false,[]]'
	flows "round $round: without it"
	ok "round $round: core 1 comes back" there 0 sh -c "echo 1 >$cpu1"
	is "round $round: the kernel runs on it" \
		"$(there 0 taskset 2 cat /sys/devices/system/cpu/online)" 0-2
	ok "round $round: the daemon sees three cores" eventually cores_are 3
	flows "round $round: with it again"
	ok "round $round: both changes are counted" \
		test "$(status_field .registers.core_changes)" -ge $((changes + 2))
done
show "snooctl registers" snooctl --socket /run/snoo/admin.sock registers
show "snooctl status" sh -c "snooctl --socket /run/snoo/admin.sock status | grep -A 20 registers"
for r in 0 1 2; do
	e2e_kill TERM "${pid_of[stream.$r]}"
done
all_well "every message verified, no bell missed" stream 3
books_balance "every byte of the pool is free again"
daemon_ends
done_testing
