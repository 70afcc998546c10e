#!/bin/bash
# SPDX-License-Identifier: MIT
# daemon-shares.sh - a pool too small for all: bytes go by weight
. tests/lib/e2e.sh

daemon_start --pool-size 4M --set domains.default.ranks_max=64 \
	--set domains.default.blocks_per_rank.small=16 \
	--set domains.default.blocks_per_rank.large=24 \
	--set 'domains.default.weights={"three":3}' \
	--set 'domains.default.rate_limits={"slow":33554432}'

# Bytes through blocks since attach, by job.
used() {
	admin scheduler | jq -c '.ranks | group_by(.job) |
		map({(.[0].job): (map(.used_bytes) | add)}) | add // {}'
}

moved() {
	jq -n --argjson a "$1" --argjson b "$2" --arg j "$3" \
		'($b[$j] // 0) - ($a[$j] // 0)'
}

# within NAME GOT WANT PERCENT
within() {
	if (($2 * 100 >= $3 * (100 - $4) && $2 * 100 <= $3 * (100 + $4))); then
		pass "$1"
	else
		fail "$1" "$2 is not within $4 % of $3"$'\n'"$(admin scheduler)"
	fi
}

contended() {
	[[ $(admin scheduler | jq '.domains[0].contended') == "$1" ]]
}

flow() {
	job "$1" 2 "$E2E/stream" -l 1048576 -w 4 -p "$D/$1.count"
}

flow one
flow three
ok "two jobs, more than the pool can carry: it is short" \
	eventually contended true
sleep 0.5
a=$(used)
sleep 3
b=$(used)
one=$(moved "$a" "$b" one)
three=$(moved "$a" "$b" three)
within "weights 1 and 3: bytes 1 to 3" "$three" "$((one * 3))" 10
is "blocks too: the heavier job holds more" "$(admin scheduler | jq '
	[.ranks[] | select(.job == "three") | .large_blocks] as $t |
	[.ranks[] | select(.job == "one") | .large_blocks] as $o |
	($t | add) > ($o | add)')" true

flow third
sleep 1
a=$(used)
sleep 3
b=$(used)
one=$(moved "$a" "$b" one)
within "a third job, one second later, has its share" \
	"$(moved "$a" "$b" third)" "$one" 10
within "and the others keep theirs" "$(moved "$a" "$b" three)" \
	"$((one * 3))" 10
like "somebody waits, and it is said for what and since when" \
	"$(admin scheduler | jq -c '[.ranks[] |
		select(.waits_for != "nothing" and .since_ms >= 0)] | length')" \
	'^[1-9]'

for j in one three third; do
	for r in 0 1; do
		e2e_kill KILL "${pid_of[$j.$r]}"
	done
	finish "$j"
done
ok "they are gone: nothing is short any more" eventually contended false

flow slow
sleep 1
a=$(used)
sleep 3
b=$(used)
within "a rate limit of 32 MiB/s" "$(moved "$a" "$b" slow)" \
	"$((3 * 33554432))" 15
for r in 0 1; do
	e2e_kill KILL "${pid_of[slow.$r]}"
done
finish slow
books_balance "in the end all memory is free"
daemon_stop
is "stopped as asked" "$daemon_status" 0

done_testing
