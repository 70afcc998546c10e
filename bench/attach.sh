#!/bin/bash
# SPDX-License-Identifier: MIT
# attach.sh - time until a job of 64 ranks is together
#
# Usage: bench/attach.sh [RANKS [ROUNDS]]
#
# "together": from the first rank's snoo_init() to the last one's return.
# "all": snoorun from start to end: start the ranks, join, one message each to
# rank 0, leave.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"

RANKS=${1:-64}
ROUNDS=${2:-5}
bench_begin bin/snoo-daemon bin/snoorun bench/attach
daemon_start --set domains.default.job_ranks_max="$((RANKS > 64 ? RANKS : 64))"
printf '%6s %6s %14s %18s %12s\n' round ranks "together, ms" "longest init, ms" "all, ms"
for ((r = 1; r <= ROUNDS; r++)); do
	begin=${EPOCHREALTIME/./}
	snoo_run "$RANKS" "$B/bench/attach" >"$BENCH_TMP/out" || die "the job failed"
	end=${EPOCHREALTIME/./}
	sed -n 's/^[^{]*\({"bench".*}\).*$/\1/p' "$BENCH_TMP/out" |
		jq -r --argjson r "$r" --argjson all "$((end - begin))" \
			'"\($r) \(.ranks) \(.all_ns / 1e6) \(.longest_ns / 1e6) \($all / 1e3)"' |
		awk '{ printf "%6d %6d %14.1f %18.1f %12.1f\n", $1, $2, $3, $4, $5 }'
done
