#!/bin/bash
# SPDX-License-Identifier: MIT
# run-bench.sh - the benchmarks, in small: every table has figures, nothing is left behind
# timeout: 240
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

export B=${B:-build}
[[ -x $B/bin/snoorun && -x $B/bench/pingpong ]] || skip_all "the benchmarks are not built"
command -v jq >/dev/null || skip_all "jq is not installed"
(($(nproc) >= 2)) || skip_all "one core alone"
unset SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export TMPDIR=$out/tmp
mkdir "$TMPDIR"

text=$(bench/run.sh --quick --rounds 1 --ms 4 --out "$out/bench" 2>&1)
is "it ends well" "$?" 0
json=$out/bench/bench.json
q() { jq -r "$1" "$json"; }

ok "the figures are JSON" jq -e . "$json"
is "latency from 0 B to 4 MiB" \
	"$(q '[.latency_ns[] | select(.snoo.median > 0) | .bytes] | "\(length) \(.[0]) \(.[-1])"')" "12 0 4194304"
is "bandwidth from 1 B to 4 MiB" \
	"$(q '[.bandwidth_mbps[] | select(.snoo.median > 0) | .bytes] | "\(length) \(.[0]) \(.[-1])"')" "11 1 4194304"
is "a rate of small messages" "$(q '.rate_per_s[] | select(.bytes == 8) | .snoo.median > 0')" true
is "a barrier" "$(q '.barrier_ns[0].snoo.median > 0')" true
is "the bare line" "$(q '.bare_line_ns.two_lines.median > 0')" true
is "memcpy" "$(q 'all(.memcpy_mbps[]; .median > 0)')" true
for m in mpich openmpi; do
	if [[ $(q ".settings.$m") == skipped* ]]; then
		skip "$m has figures" "$(q ".settings.$m")"
	else
		is "$m has figures" "$(q "all(.latency_ns[], .bandwidth_mbps[], .barrier_ns[]; .$m.median > 0)")" true
	fi
done
like "the tables are printed" "$text" 'One-way latency.*Bandwidth.*Barrier'
ok "and kept" grep -q 'One-way latency' "$out/bench/bench.txt"
if command -v gnuplot >/dev/null; then
	for f in latency bandwidth; do
		is "a plot of the $f" "$(head -c 4 "$out/bench/$f.png" | tail -c 3)" PNG
	done
else
	skip "plots" "gnuplot is not installed"
fi
ok "no file is left" test -z "$(ls -A "$TMPDIR")"
fails "an unknown option is refused" bench/run.sh --slow
done_testing
