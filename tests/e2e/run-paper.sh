#!/bin/bash
# SPDX-License-Identifier: MIT
# run-paper.sh - the main job, in small: every size, figures and plot, nothing left behind
# timeout: 240
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

export B=${B:-build}
[[ -x $B/bin/snoorun && -x $B/bench/paper ]] || skip_all "the benchmarks are not built"
command -v jq >/dev/null || skip_all "jq is not installed"
unset SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export TMPDIR=$out/tmp
mkdir "$TMPDIR"

text=$(bench/paper.sh --rounds 2 --cap-ms 4 --total 4M --out "$out/run" 2>&1)
is "it ends well" "$?" 0
json=$out/run/curve.json
ok "the figures are JSON" jq -e . "$json"
q() { jq -r "$1" "$json"; }

is "powers of two to 4 MiB, and the register's capacity" \
	"$(q '[.curve[].buffer] | "\(length) \(.[0]) \(index(56) != null) \(.[-1])"')" \
	"24 1 true 4194304"
is "every size was measured in each round" \
	"$(q '[.samples[] | select(.api == "snoo")] | group_by(.buffer) | map(length) | unique | @json')" "[2]"
is "every median lies within its spread" \
	"$(q 'all(.curve[].snoo; .min_mbps <= .median_mbps and .median_mbps <= .max_mbps and .min_mbps > 0)')" true
is "a sample that was not stopped moved all of it" \
	"$(q 'all(.samples[]; .capped == 1 or
		(.bytes >= 4194304 and .bytes < 4194304 + .buffer))')" true
is "one that was stopped moved less" \
	"$(q 'all(.samples[]; .capped == 0 or .bytes < 4194304)')" true
is "the paths follow the switch points" \
	"$(q '.switch_points as $p | all(.curve[]; .path == (if .buffer <= $p.register_max
		then "register" elif .buffer <= $p.lines_max then "lines"
		elif .buffer <= $p.block_max then "block" else "streamed" end))')" true
is "all four paths occur" "$(q '[.curve[].path] | unique | join(" ")')" "block lines register streamed"
like "memcpy has figures" "$(q '.curve[-1].memcpy.median_mbps > 0')" true
if [[ $(q '.curve[0].mpich') == null ]]; then
	like "MPICH is skipped with a word" "$text" 'MPICH: skipped: '
else
	is "MPICH has figures for every size" "$(q 'all(.curve[]; .mpich.median_mbps > 0)')" true
	is "and every size a ratio" "$(q 'all(.curve[]; .ratio > 0)')" true
fi
for n in "1 B" "56 B" "1 KiB" "4 MiB"; do
	like "the table has a line for $n" "$text" " $n  (register|lines|block|streamed)"
done
like "the table names the limit" "$text" 'limit of 4 ms'
if command -v gnuplot >/dev/null; then
	like "the plot is an SVG" "$(head -c 200 "$out/run/curve.svg")" '<svg'
	is "and a PNG" "$(head -c 4 "$out/run/curve.png" | tail -c 3)" PNG
else
	skip "the plot" "gnuplot is not installed"
fi
ok "no file is left" test -z "$(ls -A "$TMPDIR")"
printf '%s\n' "$TMPDIR" >"$out/pattern"
is "no process is left" \
	"$(grep -lazF -f "$out/pattern" /proc/[0-9]*/cmdline 2>/dev/null)" ""

fails "an unknown option is refused" bench/paper.sh --sizes 3
fails "so is a number that is none" bench/paper.sh --rounds many --out "$out/run"
done_testing
