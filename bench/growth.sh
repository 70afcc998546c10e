# SPDX-License-Identifier: MIT
# growth.sh - what a job costs as it grows from 2 ranks to 256
# shellcheck shell=bash disable=SC2034,SC2154
#
#   growth_round ROUND       one job of each size in $GROWTH, one after another
#
# Needs sample.sh, a daemon; $GROWTH, $MS, $ROUNDS.

# growth_stage N STAGE ROUND: wait for it, ask the daemon, let rank 0 go on.
growth_stage() {
	local n=$1 stage=$2 end=$((SECONDS + LIMIT))
	until grep -q "\"stage\":\"$stage\"" "$BENCH_TMP/growth.out"; do
		((SECONDS < end)) && kill -0 "$GROWTH_PID" 2>/dev/null || {
			sed 's/^/  /' "$BENCH_TMP/growth.out" >&2
			die "a job of $n ranks did not come to stage $stage"
		}
		sleep 0.01
	done
	# The daemon gives back what was taken from its stock in the background.
	sleep 0.1
	jq -nc --argjson n "$n" --arg stage "$stage" \
		--argjson pool "$("$B/bin/snooctl" --json pool)" \
		--argjson channels "$("$B/bin/snooctl" --json -t 30 channels)" '
		def class(c): [$pool.use[] | select(.class == c) | .bytes] | add // 0;
		{bench: "growth_memory", ranks: $n, stage: $stage,
		 rings_bytes: class("rings"), job_bytes: class("jobs"),
		 blocks_bytes: (class("small_blocks") + class("large_blocks")),
		 used_bytes: ($pool.arenas[0] | .arena_bytes - .free_bytes),
		 channels: ($channels | length),
		 channel_bytes: ([$channels[].ring_bytes] | add // 0)}' |
		keep snoo "$3"
	printf 'go\n' >&7
}

growth_round() {
	local r=$1 n
	for n in "${GROWTH[@]}"; do
		show "round $r of $ROUNDS: a job of $n ranks"
		rm -f "$BENCH_TMP/fifo"
		mkfifo "$BENCH_TMP/fifo"
		exec 7<>"$BENCH_TMP/fifo"
		: >"$BENCH_TMP/growth.out"
		snoo_run "$n" "$B/bench/growth" "$MS" "$BENCH_TMP/fifo" \
			>"$BENCH_TMP/growth.out" 2>&1 7>&- &
		GROWTH_PID=$!
		bench_started "$GROWTH_PID"
		growth_stage "$n" attached "$r"
		growth_stage "$n" talked "$r"
		wait "$GROWTH_PID" || {
			sed 's/^/  /' "$BENCH_TMP/growth.out" >&2
			die "a job of $n ranks failed"
		}
		bench_ended "$GROWTH_PID"
		exec 7>&-
		grep '"stage":"done"' "$BENCH_TMP/growth.out" | keep snoo "$r"
	done
}
