#!/bin/bash
# SPDX-License-Identifier: MIT
# shares-beside.sh - three jobs of weights 1:2:4 while the pool is short, one of
#	             them computes; a rate limit, alone and beside a greedy job
# timeout: 180
. tests/lib/e2e.sh

# There the cores are what is short, and the pool is not.
[[ ${SAN:-} != *thread* ]] || skip_all "ThreadSanitizer slows the copies down"

FLOW=$(realpath "${B:-build}/bench/flow")
[[ -x $FLOW ]] || skip_all "bench/flow is not built"
RATE=67108864
LEAD_MS=1000	# until the span that counts begins
SPAN_MS=1500

daemon_start --pool-size 4M --set domains.default.ranks_max=16 \
	--set domains.default.job_ranks_max=16 \
	--set 'domains.default.weights={"one":1,"two":2,"four":4}' \
	--set "domains.default.rate_limits={\"slow\":$RATE}"

span() {
	from=$(($("$FLOW" now) + LEAD_MS * 1000000))
	to=$((from + SPAN_MS * 1000000))
}

# flow JOB [compute]: messages of 1 MiB, four at a time
flow() {
	job "$1" 2 "$FLOW" "$from" "$to" 1M 4 "${@:2}"
}

# speed JOB: bytes per second of its receiver in the span; 0: too few arrived
speed() {
	jq -s 'map(select(.bench == "flow")) | .[0] | if .ns > 0
		then .bytes / .ns * 1e9 | floor else 0 end' "$D/$1.1.out"
}

# ended JOB...: all of them ended well, and $got is how fast they were
ended() {
	local j r
	got=()
	for j; do
		finish "$j"
		for r in 0 1; do
			[[ $(status "$j" $r) == 0 ]] || {
				fail "job $j, rank $r" "$(status "$j" $r): $(text "$j" $r)"
				return 1
			}
		done
		got+=("$(speed "$j")")
	done
}

short() {
	admin scheduler | jq -e '.domains[0].contended' >/dev/null
}

# within GOT WANT PERCENT
within() {
	(($1 * 100 >= $2 * (100 - $3) && $1 * 100 <= $2 * (100 + $3)))
}

# by_weight PERCENT WEIGHT...: is each of $got that part of all?
by_weight() {
	local percent=$1 all=0 weights=0 i
	shift
	for i in "${got[@]}"; do all=$((all + i)); done
	for i; do weights=$((weights + i)); done
	((all > 0)) || return 1
	for i in "${!got[@]}"; do
		within $((got[i] * 1000 / all)) $((${@:i + 1:1} * 1000 / weights)) "$percent" || return 1
	done
}

# A span in which somebody else has the cores says nothing: three tries.
for try in 1 2 3; do
	span
	flow one
	flow two
	flow four
	sleep 1.7
	pressed=no
	short && pressed=yes
	ended one two four || break
	by_weight 10 1 2 4 && [[ $pressed == yes ]] && break
done
is "three jobs stream: the pool is short" "$pressed" yes
ok "they get shares of 1:2:4 within 10 % (${got[*]}, try $try)" by_weight 10 1 2 4

for try in 1 2 3; do
	span
	flow one
	flow two
	flow four compute
	sleep 1.7
	pressed=no
	short && pressed=yes
	ended one two four || break
	got=("${got[@]:0:2}")
	by_weight 10 1 2 && [[ $pressed == yes ]] && break
done
is "the heaviest computes, and calls nothing: the pool is short" "$pressed" yes
ok "the others get shares of 1:2 within 10 % (${got[*]}, try $try)" by_weight 10 1 2

for try in 1 2 3; do
	span
	flow slow
	ended slow || break
	within "${got[0]}" "$RATE" 5 && break
done
ok "a rate limit of 64 MiB/s holds within 5 % (${got[0]}, try $try)" within "${got[0]}" "$RATE" 5

for try in 1 2 3; do
	span
	flow slow
	flow greedy
	ended slow greedy || break
	within "${got[0]}" "$RATE" 5 && break
done
ok "beside a greedy job too (${got[*]}, try $try)" within "${got[0]}" "$RATE" 5
books_balance "every byte of the pool is free again"
done_testing
