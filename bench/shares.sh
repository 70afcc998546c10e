# SPDX-License-Identifier: MIT
# shares.sh - jobs that compete for a pool that is too small for them
# shellcheck shell=bash disable=SC2034,SC2154
#
#   shares_round ROUND       with a daemon of its own
#
#   streams     jobs of weights 1, 2 and 4 stream at once
#   computes    the same, but the one of weight 4 calls nothing any more
#   limit       a job with a rate limit, alone, and beside a greedy one
#   tail        a ping-pong: alone; beside two loops of the shell, which know
#               nothing of SNOO, one on each core; beside a greedy stream
#
# Needs sample.sh; $SPAN_MS, $SHARES_LEAD_MS (from the start of the jobs to the
# span that counts), $ROUNDS.

SHARES_POOL=4M
SHARES_LIMIT=67108864	# bytes per second of job "slow"

shares_daemon() {
	daemon_start --pool-size "$SHARES_POOL" \
		--set domains.default.ranks_max=16 \
		--set domains.default.job_ranks_max=16 \
		--set 'domains.default.weights={"one":1,"two":2,"four":4}' \
		--set "domains.default.rate_limits={\"slow\":$SHARES_LIMIT}"
}

# job_start NAME PROGRAM...: two ranks in the background.
job_start() {
	local name=$1
	shift
	timeout -k 5 "$LIMIT" "$B/bin/snoorun" -n 2 --name "$name" \
		--socket "$SNOO_SOCKET" --no-prefix -- "$@" \
		>"$BENCH_TMP/job.$name" 2>&1 &
	JOBS[$name]=$!
	bench_started "$!"
}

# jobs_end ROUND CASE: wait for all of them and keep what they say.
jobs_end() {
	local name
	for name in "${!JOBS[@]}"; do
		wait "${JOBS[$name]}" || {
			sed 's/^/  /' "$BENCH_TMP/job.$name" >&2
			die "job $name failed"
		}
		bench_ended "${JOBS[$name]}"
		keep snoo "$1" "{\"job\":\"$name\",\"case\":\"$2\"}" <"$BENCH_TMP/job.$name"
	done
	JOBS=()
}

# span: sets FROM and TO, nanoseconds of the monotonic clock.
span() {
	FROM=$(($("$B/bench/flow" now) + SHARES_LEAD_MS * 1000000))
	TO=$((FROM + SPAN_MS * 1000000))
}

# flow_start NAME [compute]: messages of 1 MiB, four at a time
flow_start() {
	job_start "$1" "$B/bench/flow" "$FROM" "$TO" 1M 4 "${@:2}"
}

# is_short ROUND CASE: in the middle of the span, is the pool short?
is_short() {
	local ms=$((SHARES_LEAD_MS + SPAN_MS / 2))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	"$B/bin/snooctl" --json scheduler |
		jq -c --arg case "$2" '{bench: "short", case: $case,
			short: .domains[0].contended,
			held: [.ranks[] | {job, rank, large_blocks, slow, waits_for}]}' |
		keep snoo "$1"
}

shares_tail() {
	local bytes
	for bytes in 8 16K; do
		snoo_run 2 "$B/bench/tail" $((SPAN_MS / 2)) "$bytes" >"$BENCH_TMP/out" ||
			die "the ping-pong beside others failed: $2"
		keep snoo "$1" "{\"case\":\"$2\"}" <"$BENCH_TMP/out"
	done
}

shares_round() {
	local r=$1 FROM TO core hogs=() p
	local -A JOBS=()
	shares_daemon
	show "round $r of $ROUNDS: three jobs stream"
	span
	flow_start one
	flow_start two
	flow_start four
	is_short "$r" streams
	jobs_end "$r" streams
	show "round $r of $ROUNDS: one of the jobs computes"
	span
	flow_start one
	flow_start two
	flow_start four compute
	is_short "$r" computes
	jobs_end "$r" computes
	show "round $r of $ROUNDS: a rate limit"
	span
	flow_start slow
	jobs_end "$r" limit
	span
	flow_start slow
	flow_start greedy
	jobs_end "$r" limit_beside
	show "round $r of $ROUNDS: a ping-pong beside others"
	shares_tail "$r" alone
	for core in $(first_cores 2); do
		taskset -c "$core" bash -c 'while :; do :; done' &
		hogs+=("$!")
		bench_started "$!"
	done
	shares_tail "$r" hogs
	for p in "${hogs[@]}"; do
		kill "$p"
		wait "$p" 2>/dev/null
		bench_ended "$p"
	done
	SHARES_LEAD_MS=0 SPAN_MS=$((SPAN_MS * 2)) span
	flow_start greedy
	sleep 0.3
	shares_tail "$r" greedy
	jobs_end "$r" tail
	daemon_stop
}
