#!/bin/bash
# SPDX-License-Identifier: MIT
# plot.sh - draw bench.json: plot.sh BENCH.JSON FOLDER
#
# Makes NAME.svg and NAME.png of latency, bandwidth, rate, crowd and growth, as
# far as they were measured, and prints their names.
set -u
json=$1
out=$2
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C
libs=(snoo mpich openmpi ucx mpich_nocma openmpi_nocma)

has() { jq -e "$1" "$json" >/dev/null; }

# gnuplot wants data in each file.
fill() {
	[[ -s $1 ]] || echo 'NaN NaN NaN NaN' >"$1"
}

# data KEY SCALE: one file a library, "bytes median min max".
data() {
	local api
	for api in "${libs[@]}"; do
		jq -r --arg k "$1" --arg a "$api" --argjson s "$2" '.[$k][]
			| select(.bytes > 0 and .[$a])
			| "\(.bytes) \(.[$a].median / $s) \(.[$a].min / $s) \(.[$a].max / $s)"' \
			"$json" >"$tmp/$api"
		fill "$tmp/$api"
	done
}

# draw NAME PROGRAM HEIGHT HEAD [VARIABLE=TEXT...]
draw() {
	local name=$1 program=$2 height=$3 head=$4 vars t v
	shift 4
	vars=$(jq -r --arg data "$tmp" --arg kind "$name" --arg head "$head" '
		def text: gsub("\u0027"; "") | "\u0027\(.)\u0027";
		"data = \($data | text)", "kind = \($kind | text)", "head = \($head | text)",
		"reg = \(.switch_points.register_max)",
		"run = \(.switch_points.lines_max)",
		"block = \(.switch_points.block_max)",
		"bare = \(.bare_line_ns.two_lines.median? // 0 | . / 1000)",
		"lines = \(.bare_line_ns.stream.median? // 1e9 | 1000 / .)",
		"where = \("\(.machine.cpu), \(.machine.cores) cores, \(.machine.kind); "
			+ "median, bars from smallest to largest of \(.rounds) rounds" | text)"' \
		"$json") || return 1
	for v; do vars+="; ${v%%=*} = '${v#*=}'"; done
	for t in "svg size 960,$height font 'Helvetica,12' background '#ffffff'; set output '$out/$name.svg'" \
		"pngcairo size 1440,$((height * 3 / 2)) font 'Helvetica,12' fontscale 1.35 linewidth 1.4; set output '$out/$name.png'"; do
		gnuplot -e "set terminal $t" -e "${vars//$'\n'/; }" "$here/$program" || return 1
	done
	printf '%s ' "$name"
}

if has '.latency_ns | length > 0'; then
	jq -r '.memcpy_mbps[] | "\(.bytes) \(.median / 1000)"' "$json" >"$tmp/memcpy"
	data latency_ns 1000
	draw latency plot.gp 560 'One-way latency of a ping-pong, two ranks' || exit 1
	data bandwidth_mbps 1000
	draw bandwidth plot.gp 560 'Bandwidth, windows of 64 messages, two ranks' || exit 1
	data rate_per_s 1000000
	draw rate plot.gp 560 'Messages per second, windows of 64, two ranks' || exit 1
fi
if has '.crowd | length > 0'; then
	for p in pingpong ring barrier allreduce; do
		for api in snoo mpich openmpi; do
			# Two ranks of the same run for the barrier, where there are.
			jq -r --arg p "$p" --arg a "$api" '
				(if $p == "barrier" then .barrier_ns[] else empty end),
				(.crowd[] | select(.pattern == $p and .bytes <= 8))
				| select(.[$a])
				| "\(.ranks) \(.[$a].median / 1000) \(.[$a].min / 1000) \(.[$a].max / 1000)"' \
				"$json" >"$tmp/$p.$api"
			fill "$tmp/$p.$api"
		done
	done
	draw crowd crowd.gp 720 "More ranks than cores ($(jq .machine.cores "$json"))" \
		'patterns=pingpong ring barrier allreduce' \
		'titles=ping-pong of neighbours, one way, us|ring, a hop, us|barrier, us|allreduce of 8 bytes, us|' || exit 1
fi
if has '.growth | length > 0'; then
	jq -r '.growth[] | [.ranks, .attach_ms.median, .pool_bytes_per_rank.median / 1024,
		.rings_bytes_per_rank.median / 1024, .private_bytes.median / 1024,
		.known_source_ns.median, .any_source_ns.median, .gather_ns.median,
		.barrier_ns.median / 1000] | join(" ")' "$json" >"$tmp/growth"
	draw growth growth.gp 720 'Growth of one job' "data=$tmp/growth" || exit 1
fi
