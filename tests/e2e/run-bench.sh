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

# What two ranks do beside all peers that are installed; the rest without: an
# MPI with more ranks than cores takes its time, on a busy machine minutes.
text=$(bench/run.sh --quick --rounds 1 --ms 4 --only pair --mixed --out "$out/bench" 2>&1)
is "it ends well" "$?" 0
json=$out/bench/bench.json
q() { jq -r "$1" "$json"; }

ok "the figures are JSON" jq -e . "$json"
is "latency from 0 B to 4 MiB" \
	"$(q '[.latency_ns[] | select(.snoo.median > 0) | .bytes] | "\(length) \(.[0]) \(.[-1])"')" "12 0 4194304"
is "bandwidth from 1 B to 4 MiB" \
	"$(q '[.bandwidth_mbps[] | select(.snoo.median > 0) | .bytes] | "\(length) \(.[0]) \(.[-1])"')" "11 1 4194304"
is "a rate of small messages" "$(q '.rate_per_s[] | select(.bytes == 8) | .snoo.median > 0')" true
is "messages that come late" \
	"$(q '[.late_ns[] | select(.snoo.median > 0) | .rest_us] | join(" ")')" "100 300 1000"
is "a barrier" "$(q '.barrier_ns[0].snoo.median > 0')" true
is "the bare line" "$(q '.bare_line_ns.two_lines.median > 0')" true
is "memcpy" "$(q 'all(.memcpy_mbps[]; .median > 0)')" true
is "every point of two ranks knows the bare line before and after it" \
	"$(q '[.samples[] | select(.bench | IN("pingpong", "stream", "barrier", "loan"))
		| .line_before_ns > 0 and .line_after_ns > 0] | unique | join(" ")')" true
# As it would be told if the cores had been farther away under SNOO alone.
apart=$(jq -c '.samples | (.[] | select(.line_before_ns))
		|= (.line_before_ns = (if .api == "snoo" then 500 else 100 end)
		| .line_after_ns = .line_before_ns) | .[]' "$json" |
	jq -s --argjson machine null --argjson settings null --argjson reg 56 \
		--argjson lines 512 --argjson block 16384 --argjson spent 1 --argjson ms 1 \
		--argjson limit 1 --argjson vm null --argjson mixed false -f bench/summary.jq |
	jq -r '[.distances[] | "\(.distance) \([.latency_ns[] | select(.snoo)] | length) \([.latency_ns[].ratio_best // empty] | length)"] | join(", ")')
like "what was measured at two distances is not compared" "$apart" \
	'^usual 0 0, farther 12 0$'
is "every row says how far from the limit it is" \
	"$(q 'all(.latency_ns[], .bandwidth_mbps[]; .x_limit > 0)')" true
is "so does the rate of what fits into a line" \
	"$(q 'all(.rate_per_s[] | select(.bytes <= 56); .x_limit > 0)')" true
for m in mpich openmpi; do
	if [[ $(q ".settings.$m") == skipped* ]]; then
		skip "$m has figures" "$(q ".settings.$m")"
		continue
	fi
	is "$m has figures" "$(q "all(.latency_ns[], .bandwidth_mbps[], .barrier_ns[], .late_ns[];
		.$m.median > 0 and .ratio > 0 and .ratio_best > 0)")" true
	is "$m has some without CMA, from 64 KiB up" \
		"$(q "[.latency_ns[], .bandwidth_mbps[] | select(.${m}_nocma.median > 0) | .bytes]
		| unique | join(\" \")")" "65536 1048576"
done
if [[ $(q .settings.ucx) == skipped* ]]; then
	skip "ucx_perftest has figures" "$(q .settings.ucx)"
else
	is "ucx_perftest has figures" \
		"$(q 'all(.latency_ns[], .bandwidth_mbps[], .rate_per_s[]; .ucx.median > 0)')" true
	like "its transports were chosen" "$(q .settings.ucx)" 'UCX_TLS=[a-z]+,'
fi
is "nobody failed" "$(q '.failures | length')" 0
is "what was measured has a verdict" \
	"$(q '[.targets[] | select(.met == null) | .what | select(startswith("VM") | not)] | length')" \
	"$(q 'if [.latency_ns[].best_peer] | any then 6 else 11 end')"
like "the tables are printed" "$text" 'One-way latency.*Bandwidth.*Barrier.*Late messages.*What was to be reached'
ok "and kept" grep -q 'One-way latency' "$out/bench/bench.txt"

text=$(bench/run.sh --quick --rounds 1 --ms 4 --only crowd,growth,shares \
	--peers none --out "$out/rest" 2>&1)
is "the other parts end well" "$?" 0
json=$out/rest/bench.json
is "more ranks than cores" \
	"$(q '[.crowd[] | select(.snoo.median > 0) | "\(.pattern)-\(.ranks)"] | unique | join(" ")')" \
	"allreduce-4 barrier-4 beside-3 pingpong-4 ring-4"
is "the rank that computes has a share of its core" \
	"$(q '.compute_share.snoo.median | . > 0 and . <= 1')" true
is "a job grows" "$(q '[.growth[] | .ranks] | join(" ")')" "2 4 8 16"
is "each size has every figure" \
	"$(q 'all(.growth[] | del(.ranks) | .[]; .median > 0)')" true
is "a pair that talks has a channel each way" \
	"$(q 'all(.growth[]; .channels.median >= 2 * (.ranks - 1))')" true
is "three jobs share" "$(q '.shares.streams | map(.job) | join(" ")')" "one two four"
is "and their shares are a whole" \
	"$(q '.shares.streams | map(.share.median) | add * 100 | round')" 100
is "two of them beside one that computes" "$(q '.shares.computes | map(.mbps.median > 0) | all')" true
is "a rate limit" "$(q '.shares.limit.got.median > 0 and .shares.limit_beside.got.median > 0')" true
is "a ping-pong alone and beside others" \
	"$(q 'all(.shares.tail[] | .alone, .hogs, .greedy; .p99_ns.median >= .median_ns.median)')" true
like "their tables are printed" "$text" 'More ranks than cores.*Growth.*Jobs that stream.*What was to be reached'
if command -v gnuplot >/dev/null; then
	for f in latency bandwidth rate crowd growth; do
		is "a plot of the $f" "$(head -c 4 "$out"/*/"$f.png" | tail -c 3)" PNG
	done
else
	skip "plots" "gnuplot is not installed"
fi
ok "no file is left" test -z "$(ls -A "$TMPDIR")"
fails "an unknown part is refused" bench/run.sh --only speed
fails "so is an unknown peer" \
	bench/run.sh --peers pvm
fails "an unknown option is refused" bench/run.sh --slow
done_testing
