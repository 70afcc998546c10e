#!/bin/bash
# SPDX-License-Identifier: MIT
# safe-quiet.sh - nothing runs for nothing: no CPU when idle, no system call on
#		  the data path, no memory for pairs that do not talk
# timeout: 180
. tests/lib/e2e.sh

daemon_start --pool-size 64M

# ticks PID...: user and system time, in clock ticks.
ticks() {
	local p sum=0 f
	for p; do
		f=$(<"/proc/$p/stat")
		f=${f##*) }
		# shellcheck disable=SC2086
		set -- $f
		sum=$((sum + ${12} + ${13}))
	done
	printf '%d\n' "$sum"
}

# 64 ranks attach.
start=$(date +%s%N)
job many 64 "$E2E/quiet" wait
all_in() {
	[[ $(admin jobs | jq '.[] | select(.job == "many") | .joined') == 64 ]]
}
ok "64 ranks attach" eventually all_in
printf '# 64 ranks, each a process of its own: %d ms with their start\n' \
	$((($(date +%s%N) - start) / 1000000))
asleep() {
	admin ranks | jq -e '[.[] | select(.job == "many")] |
		length == 64 and all(.[]; .sleeping and .call == "recv")' \
		>/dev/null
}
ok "all of them sleep in a receive" eventually asleep

# Memory follows the pairs that talk.
like "64 ranks that have said nothing have few rings" \
	"$(admin channels | jq length)" '^[0-9]$|^[0-9][0-9]$'

pids=()
for r in {0..63}; do
	pids+=("${pid_of[many.$r]}")
done
idle_s=3
((${SNOO_STRESS_S:-0} > 20)) && idle_s=10
worker=$(daemon_worker)
sleep 0.2	# it closes our connection
before=$(turns "$worker" "$daemon_pid")
before_ranks=$(ticks "${pids[@]}")
sleep "$idle_s"
is "an idle daemon and its keeper do not run once in $idle_s s" \
	$(($(turns "$worker" "$daemon_pid") - before)) 0
# Each rank looks again once a second: some microseconds, a sanitizer makes many
# of them.  One that looked all the time would use a hundred ticks a second.
most=2
[[ -z ${SAN:-} ]] || most=6
used=$(($(ticks "${pids[@]}") - before_ranks))
if ((used <= most)); then
	pass "64 blocked ranks use no CPU in $idle_s s"
else
	fail "64 blocked ranks use no CPU in $idle_s s" "$used ticks"
fi
for p in "${pids[@]}"; do
	e2e_kill TERM "$p"
done
finish many

# No system call on the data path while both sides run: as many for N messages
# as for 2 N.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null &&
	[[ -z ${SAN:-} ]]; then
	calls() {
		rank steady 0 2 strace -f -c -U calls,name -o "$D/strace" "$E2E/quiet" steady "$1"
		rank steady 1 2 "$E2E/quiet" steady "$1"
		all_well "a steady exchange of $1 messages" steady 2
		awk '$2 == "total" { print $1 }' "$D/strace" >"$D/calls.$1"
	}
	# Somebody else may need a core: then one side waits for the other.
	for try in 1 2 3 4 5; do
		calls 20000
		calls 200000
		a=$(<"$D/calls.20000")
		b=$(<"$D/calls.200000")
		((b - a < 1800)) && break
	done
	if ((b - a < 1800)); then
		pass "180000 more messages: no call for each"
		printf '# %d calls, then %d, at try %d\n' "$a" "$b" "$try"
	else
		fail "180000 more messages: no call for each" "$a, then $b
$(cat "$D/strace")"
	fi
else
	skip "system calls on the data path" "no strace, or a sanitizer"
fi
books_balance "every byte of the pool is free again"
done_testing
