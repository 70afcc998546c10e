#!/bin/bash
# SPDX-License-Identifier: MIT
# vm_plot.sh - draw vm.json: vm_plot.sh VM.JSON OUT makes OUT.svg, OUT.png
set -u
json=$1
out=$2
gp=$(dirname "$0")/vm.gp
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C

# Pairs of places: of several with the same two, the median one.
jq -r 'def pair: [.from_where, .to_where] | sort | join(" - ");
	def mid: sort | .[length / 2 | floor];
	(.latency | group_by(pair)[] | "\"\(.[0] | pair)\" \(map(.ns) | mid / 1000) 1"),
	(.tcp_latency[] | "\"vm-a - vm-b, \(.api | sub("tcp"; "TCP"))\" \(.ns / 1000) 0")' \
	"$json" >"$tmp/latency" &&
	jq -r 'def pair: [.from_where, .to_where] | join(" to ");
	def mid: sort | .[length / 2 | floor];
	(.bandwidth | map(select(.bytes == 1048576)) | group_by(pair)[]
		| "\"\(.[0] | pair)\" \(map(.mbps) | mid) 1"),
	(.tcp_bandwidth[] | select(.bytes == 1048576)
		| "\"vm-b to vm-a, TCP\" \(.mbps) 0")' "$json" >"$tmp/bandwidth" || exit 1

# Quotes of a processor's name must not end gnuplot's.
vars=$(jq -r --arg data "$tmp" '
	def text: gsub("\u0027"; "") | "\u0027\(.)\u0027";
	"data = \($data | text)",
	"head = \("Ranks on the host and in two guests (red), TCP over virtio-net (blue)" | text)",
	"where = \("\(.machine.cpu), \(.machine.cores) cores; \(.settings.qemu); Linux \(.settings.kernel)" | text)"' \
	"$json") || exit 1

draw() {
	gnuplot -e "set terminal $1; set output '$2'" -e "${vars//$'\n'/; }" "$gp"
}
draw "svg size 960,560 font 'Helvetica,12' background '#ffffff'" "$out.svg" &&
	draw "pngcairo size 1440,840 font 'Helvetica,12' fontscale 1.35 linewidth 1.4" \
		"$out.png"
