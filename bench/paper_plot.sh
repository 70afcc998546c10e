#!/bin/bash
# SPDX-License-Identifier: MIT
# paper_plot.sh - draw curve.json: paper_plot.sh CURVE.JSON OUT makes OUT.svg, OUT.png
set -u
json=$1
out=$2
gp=$(dirname "$0")/paper.gp
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C

for api in snoo mpich memcpy; do
	jq -r --arg a "$api" '.curve[] | select(.[$a]) | "\(.buffer) "
		+ "\(.[$a].median_mbps / 1000) \(.[$a].min_mbps / 1000) \(.[$a].max_mbps / 1000)"' \
		"$json" >"$tmp/$api" || exit 1
done
jq -r '.curve[] | select(.ratio) | "\(.buffer) \(.ratio)"' "$json" >"$tmp/ratio"

# Quotes of a processor's name must not end gnuplot's.
vars=$(jq -r --arg data "$tmp" '
	def text: gsub("\u0027"; "") | "\u0027\(.)\u0027";
	"data = \($data | text)",
	"reg = \(.switch_points.register_max)",
	"run = \(.switch_points.lines_max)",
	"block = \(.switch_points.block_max)",
	"ratio = \(if any(.curve[]; .ratio) then 1 else 0 end)",
	"head = \(.settings.total | sub("G$"; " GiB") | . + " between two ranks, blocking send and receive" | text)",
	"where = \("\(.machine.cpu), \(.machine.cores) cores, \(.machine.kind); "
		+ "median, bars from smallest to largest of \([.samples[].round] | max) rounds" | text)",
	"peer = \(.settings.mpich | split(",")[0] | text)"' "$json") || exit 1

draw() {
	gnuplot -e "set terminal $1; set output '$2'" -e "${vars//$'\n'/; }" "$gp"
}
draw "svg size 960,720 font 'Helvetica,12' background '#ffffff'" "$out.svg" &&
	draw "pngcairo size 1440,1080 font 'Helvetica,12' fontscale 1.35 linewidth 1.4" \
		"$out.png"
