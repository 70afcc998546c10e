#!/bin/bash
# SPDX-License-Identifier: MIT
# plot.sh - draw bench.json: plot.sh BENCH.JSON FOLDER makes latency and bandwidth plots
set -u
json=$1
out=$2
gp=$(dirname "$0")/plot.gp
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C

# data KEY SCALE: one file a library, "bytes median min max".
data() {
	local api
	for api in snoo mpich openmpi; do
		jq -r --arg k "$1" --arg a "$api" --argjson s "$2" '.[$k][]
			| select(.bytes > 0 and .[$a])
			| "\(.bytes) \(.[$a].median / $s) \(.[$a].min / $s) \(.[$a].max / $s)"' \
			"$json" >"$tmp/$api"
	done
	# gnuplot wants data in each of them.
	for api in mpich openmpi; do
		[[ -s $tmp/$api ]] || echo 'NaN NaN NaN NaN' >"$tmp/$api"
	done
}
jq -r '.memcpy_mbps[] | "\(.bytes) \(.median / 1000)"' "$json" >"$tmp/memcpy"

# draw KIND HEAD
draw() {
	local vars t
	vars=$(jq -r --arg data "$tmp" --arg kind "$1" --arg head "$2" '
		def text: gsub("\u0027"; "") | "\u0027\(.)\u0027";
		"data = \($data | text)", "kind = \($kind | text)", "head = \($head | text)",
		"reg = \(.switch_points.register_max)",
		"run = \(.switch_points.lines_max)",
		"block = \(.switch_points.block_max)",
		"bare = \(.bare_line_ns.two_lines.median / 1000)",
		"where = \("\(.machine.cpu), \(.machine.cores) cores, \(.machine.kind); "
			+ "median, bars from smallest to largest of \(.rounds) rounds" | text)"' \
		"$json") || return 1
	for t in "svg size 960,560 font 'Helvetica,12' background '#ffffff'; set output '$out/$1.svg'" \
		"pngcairo size 1440,840 font 'Helvetica,12' fontscale 1.35 linewidth 1.4; set output '$out/$1.png'"; do
		gnuplot -e "set terminal $t" -e "${vars//$'\n'/; }" "$gp" || return 1
	done
}

data latency_ns 1000
draw latency 'One-way latency of a ping-pong, two ranks' || exit 1
data bandwidth_mbps 1000
draw bandwidth 'Bandwidth, windows of 64 messages, two ranks'
