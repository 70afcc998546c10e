#!/bin/bash
# SPDX-License-Identifier: MIT
# loan.sh - a loan of 1 MiB against one of 64 bytes: the cost is the same
#
# Usage: bench/loan.sh [ROUNDS [SIZE...]]
#
# Each round is a job of its own that measures all sizes in turn; told are the
# medians over the rounds, one way, and the ratio of each to the first size.
# Fails if that of the last size is above TARGET.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=${1:-7}
SIZES=("${@:2}")
((${#SIZES[@]})) || SIZES=(64 4K 64K 1M)
TARGET=1.2
bench_begin bin/snoo-daemon bin/snoorun bench/loan
daemon_start
for ((r = 0; r < ROUNDS; r++)); do
	snoo_run 2 "$B/bench/loan" -t 200 "${SIZES[@]}" >>"$BENCH_TMP/out" ||
		die "a round failed: $(tail -n 3 "$BENCH_TMP/out")"
done
sed -n 's/^[^{]*\({"bench".*}\).*$/\1/p' "$BENCH_TMP/out" | jq -s -r \
	--argjson target "$TARGET" '
	def median: sort | .[((length - 1) / 2) | floor];
	group_by(.bytes) | map({ bytes: .[0].bytes, all: map(.ns / 2) })
	| (.[0].all | median) as $one
	| "\("bytes\tone way, ns\tsmallest\tlargest\tratio")",
	  (.[] | [.bytes, (.all | median | floor), (.all | min | floor),
		  (.all | max | floor),
		  ((.all | median) / $one * 1000 | round / 1000)] | @tsv),
	  "target: at most \($target): \(if (.[-1].all | median) / $one <= $target
		then "met" else "missed" end)"' | tee "$BENCH_TMP/table"
grep -q ': met$' "$BENCH_TMP/table"
