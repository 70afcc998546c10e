#!/bin/bash
# SPDX-License-Identifier: MIT
# kill-loan.sh - loans and buffers in the pool: ranks die, and daemons
#
# Each message is verified when it comes and again before it is released, so a
# block that somebody got too early is noticed.
# timeout: 240
. tests/lib/e2e.sh

daemon_start --pool-size 16M
bystander_start
rounds=${KILL_ROUNDS:-10}

# lending RANK: messages whose send is complete.
lending() {
	od -An -t u8 -j $(($1 * 16)) -N 8 "$D/loans" 2>/dev/null
}

further() {
	local n
	n=$(lending "$1")
	((${n:-0} >= $2))
}

loan_bytes() {
	admin pool | jq '[.use[] | select(.class == "loans") | .bytes] | add'
}

loans_are() {
	[[ $(loan_bytes) == "$1" ]]
}

# lent JOB: what its rank 0 says it has lent, and what it had to copy.
lent() {
	sed -n 's/^\([0-9]*\) lent, .*/\1/p' "$D/$1.0.out"
}

# ---- in peace
job peace 2 "$E2E/loans" -n 2000
all_well "two ranks lend each other 2000 messages" peace 2
is "and none was copied" "$(cat "$D"/peace.?.out)" $'2000 lent, 0 copied\n2000 lent, 0 copied'
job large 2 "$E2E/loans" -n 60 -l 1500000 -o 2
all_well "large ones" large 2
# More open at a time than the pool can lend: the rest is copied.
job many 2 "$E2E/loans" -n 300 -l 400000 -o 64
all_well "more than the pool can lend" many 2
ok "some of them were lent" test "$(lent many)" -gt 20
ok "and some were not" test "$(lent many)" -lt 300
ok "all of them is given back" eventually loans_are 0
bystander_moves "beside loans"

# ---- a rank dies
for ((i = 0; i < rounds; i++)); do
	v=$((i % 2))
	rm -f "$D/loans"
	job dying 2 "$E2E/loans" -p "$D/loans" -k $v -o $((1 + i * 3)) \
		-l $((3000 + RANDOM * 6))
	eventually further $v $((1 + RANDOM % 600))
	e2e_kill KILL "${pid_of[dying.$v]}"
	finish dying
	is "round $i: rank $v is killed, its partner loses nothing" \
		"$(status dying $((1 - v))):$(status dying $v)" 0:137
done
ok "all is given back after deaths" eventually loans_are 0
bystander_moves "while ranks that lend are killed"

# ---- buffers in the pool, whose receivers copy by themselves
job pool 2 "$E2E/loans" -n 1500 -a -l 300000
all_well "messages are sent from buffers in the pool" pool 2
for ((i = 0; i < rounds; i++)); do
	v=$((i % 2))
	rm -f "$D/loans"
	job dying 2 "$E2E/loans" -p "$D/loans" -k $v -a -l 400000
	eventually further $v $((1 + RANDOM % 300))
	e2e_kill KILL "${pid_of[dying.$v]}"
	finish dying
	is "round $i: rank $v is killed as it sends from the pool" \
		"$(status dying $((1 - v))):$(status dying $v)" 0:137
done
ok "all is given back" eventually loans_are 0

# ---- a view outlives its sender, and its memory is nobody's so long
says() {
	grep -q "$3" "$D/$1.$2.out"
}
quarantined() {
	[[ $(admin pool | jq -c '[.quarantine[] | [.rank, .waits_for]]') == "$1" ]]
}
job hold 2 "$E2E/loans" -w 1000000
ok "a view of 1 MB is taken" eventually says hold 1 holds
e2e_kill KILL "${pid_of[hold.0]}"
ok "its sender's death is told" eventually says hold 1 alone
ok "the block is in quarantine" \
	eventually quarantined '[[0,"rank 1 to acknowledge"]]'
is "and still lent" "$(loan_bytes)" 1048576
job churn 2 "$E2E/loans" -n 300 -l 400000 -o 32
all_well "others lend meanwhile" churn 2
e2e_kill KILL "$(daemon_worker)"
ok "a new daemon keeps it" eventually quarantined '[[0,"rank 1 to acknowledge"]]'
is "and counts it" "$(loan_bytes)" 1048576
e2e_kill USR1 "${pid_of[hold.1]}"
ok "the view is verified and released" eventually says hold 1 released
ok "then the quarantine ends" eventually quarantined '[]'
ok "and the block is free" eventually loans_are 0
e2e_kill USR1 "${pid_of[hold.1]}"
finish hold
is "the reader ends well" "$(status hold 1)" 0

# ---- the daemon dies while ranks lend
rm -f "$D/loans"
job through 2 "$E2E/loans" -n 4000 -p "$D/loans" -u 200
for at in 200 900 1700; do
	eventually further 0 $at
	e2e_kill KILL "$(daemon_worker)"
done
all_well "ranks lend while daemons die" through 2
ok "all is given back under the last one" eventually loans_are 0

bystander_end
books_balance "every byte of the pool is free again"
done_testing
