#!/bin/bash
# SPDX-License-Identifier: MIT
# paper.sh - the paper's experiment, SNOO beside MPICH and memcpy: `make run`
#
# Usage: bench/paper.sh [--rounds N] [--cap-ms MS] [--total SIZE] [--out FOLDER]
#
# TOTAL bytes (1 GiB) are moved between two pinned ranks in buffers of growing
# size, bench/paper.c through SNOO_MPI_Send/Recv and the same source compiled
# against mpi.h.  The two take turns, buffer by buffer, in several rounds; the
# results are medians with the smallest and largest value.  A sample that would
# take longer than MS moves less; the table marks it.
#
# Leaves curve.json, curve.svg and curve.png in FOLDER, or run/ of the build folder.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=bench/peers.sh
. "$TOP/bench/peers.sh"

ROUNDS=5
CAP_MS=200
TOTAL=1G
OUT=
BUDGET_S=100		# when this would be passed, rounds become fewer, but...
ROUNDS_MIN=3		# ...never fewer than this
GROUP=4			# buffers that one program measures in one go

while (($#)); do
	[[ $1 == --* && $# -ge 2 ]] || die "$1: a value is missing, or it is no option"
	case $1 in
	--rounds) ROUNDS=$2 ;;
	--cap-ms) CAP_MS=$2 ;;
	--total) TOTAL=$2 ;;
	--out) OUT=$2 ;;
	*) die "unknown option $1: --rounds, --cap-ms, --total and --out are known" ;;
	esac
	shift 2
done
[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "--rounds is '$ROUNDS', must be a number"
((ROUNDS_MIN > ROUNDS)) && ROUNDS_MIN=$ROUNDS

bench_begin bin/snoo-daemon bin/snoorun bin/snooctl bench/paper bench/copy
OUT=${OUT:-$B/run}
mkdir -p "$OUT"
SAMPLES=$BENCH_TMP/samples
: >"$SAMPLES"

if mpich_find; then
	mpi_cc mpich "$B/bench/mpich/paper" -DPAPER_MPI bench/paper.c bench/bench.c ||
		MPICH_WHY="its compiler failed"
fi
machine=$(machine_json)
settings=$(settings_json | jq '{snoo, mpich}')
daemon_start
switch_points

# Powers of two, and the register's capacity, which is none.
buffers=()
for ((n = 1; n <= 4 << 20; n *= 2)); do
	buffers+=("$n")
	((n < REGISTER_MAX && n * 2 > REGISTER_MAX)) && buffers+=("$REGISTER_MAX")
done

say "The paper's experiment: ${TOTAL/%G/ GiB} between two pinned ranks, buffer by buffer."
machine_line "$machine"
jq -r 'to_entries[] | "  \(.key)\(" " * (9 - (.key | length)))\(.value)"' <<<"$settings"
say "  paths    register to $REGISTER_MAX B, lines to $LINES_MAX B, block to $BLOCK_MAX B, streamed above"
say "  rounds   $ROUNDS, in turn; at most $CAP_MS ms a sample"
say

# ---- measure -----------------------------------------------------------------

human='def human: if . >= 1048576 then "\(. / 1048576) MiB"
	elif . >= 1024 then "\(. / 1024) KiB" else "\(.) B" end;
	def rate: if . >= 9995 then "\(. / 1000 * 10 | round / 10) GB/s"
	elif . >= 10 then "\(. | round) MB/s" else "\(. * 10 | round / 10) MB/s" end;'

# sample API ROUND COMMAND...: its lines, marked with both.
sample() {
	local api=$1 round=$2 out=$BENCH_TMP/out
	shift 2
	"$@" >"$out" 2>"$BENCH_TMP/err" || {
		sed 's/^/  /' "$BENCH_TMP/err" "$out" >&2
		die "$api failed with buffers of ${group[*]} bytes"
	}
	sed -n 's/^[^{]*\({"bench".*}\).*$/\1/p' "$out" |
		jq -c --arg api "$api" --argjson round "$round" \
			'. + {api: $api, round: $round, mbps: (.bytes / .ns * 1000)}' \
			>>"$SAMPLES"
	(($(grep -c "\"api\":\"$api\",.*\"round\":$round," "$SAMPLES") > 0)) ||
		die "$api printed no result"
}

TTY=0
[[ -t 1 ]] && TTY=1
show() {
	((TTY)) || return 0
	local width=24 full
	full=$((width * done_n / total_n))
	printf '\r  [%-*s] %3d%%  %s\033[K' "$width" \
		"$(printf '%*s' "$full" '' | tr ' ' '#')" $((100 * done_n / total_n)) "$1"
}

begin=$SECONDS
done_n=0
total_n=${#buffers[@]}
for ((i = 0; i < ${#buffers[@]}; i += GROUP)); do
	group=("${buffers[@]:i:GROUP}")
	label="buffers of ${group[0]} to ${group[-1]} bytes"
	rounds=$ROUNDS
	(((SECONDS - begin) * total_n > BUDGET_S * done_n && done_n > 0)) &&
		rounds=$ROUNDS_MIN
	for ((r = 1; r <= rounds; r++)); do
		show "$label, round $r of $rounds: SNOO"
		sample snoo "$r" snoo_run 2 "$B/bench/paper" "$TOTAL" "$CAP_MS" "${group[@]}"
		if [[ -z $MPICH_WHY ]]; then
			show "$label, round $r of $rounds: MPICH"
			sample mpich "$r" mpi_run mpich 2 "$B/bench/mpich/paper" \
				"$TOTAL" "$CAP_MS" "${group[@]}"
		fi
		sample memcpy "$r" "$B/bench/copy" "$TOTAL" $((CAP_MS / 2)) "${group[@]}"
	done
	done_n=$((done_n + ${#group[@]}))
	((TTY)) && printf '\r\033[K'
	for n in "${group[@]}"; do
		jq -rs --argjson n "$n" "$human"'
			def med(a): [.[] | select(.api == a and .buffer == $n) | .mbps]
				| sort | .[length / 2 | floor];
			"  \($n | human): SNOO \(med("snoo") | rate)"
			+ (med("mpich") | if . then ", MPICH \(rate)" else "" end)
			+ ", memcpy \(med("memcpy") | rate)"' "$SAMPLES"
	done
done
spent=$((SECONDS - begin))
daemon_stop

# ---- tell --------------------------------------------------------------------

jq -s --argjson machine "$machine" --argjson settings "$settings" \
	--argjson reg "$REGISTER_MAX" --argjson lines "$LINES_MAX" --argjson block "$BLOCK_MAX" \
	--arg total "$TOTAL" --argjson cap "$CAP_MS" --argjson spent "$spent" '
	def median: sort | if length % 2 == 1 then .[(length - 1) / 2]
		else (.[length / 2 - 1] + .[length / 2]) / 2 end;
	def stat(a): [.[] | select(.api == a)]
		| if length == 0 then null else {
			median_mbps: (map(.mbps) | median),
			min_mbps: (map(.mbps) | min), max_mbps: (map(.mbps) | max),
			moved_bytes: (map(.bytes) | median | floor),
			capped: any(.capped == 1) } end;
	{ what: "bandwidth against buffer size, two ranks, blocking send and receive",
	  machine: $machine,
	  settings: ($settings + {total: $total, cap_ms: $cap}),
	  seconds: $spent,
	  switch_points: {register_max: $reg, lines_max: $lines, block_max: $block},
	  curve: (group_by(.buffer) | map(.[0].buffer as $n | {
		buffer: $n,
		path: (if $n <= $reg then "register" elif $n <= $lines then "lines"
			elif $n <= $block then "block"
			else "streamed" end),
		snoo: stat("snoo"), mpich: stat("mpich"), memcpy: stat("memcpy") }
		| . + {ratio: (if .mpich then .snoo.median_mbps / .mpich.median_mbps
			else null end)})),
	  samples: . }' "$SAMPLES" >"$OUT/curve.json" || die "cannot write $OUT/curve.json"

say
jq -r "$human"'
	def cell(w): tostring | (" " * ([w - length, 0] | max)) + .;
	def left(w): tostring | . + (" " * ([w - length, 0] | max));
	def num: if . >= 100 then round else . * 10 | round / 10 end;
	def range: if . then "\(.median_mbps | num | cell(7))  "
		+ ("\(.min_mbps | num)..\(.max_mbps | num)" | left(15))
		else "      -                  " end;
	def moved: "\(.moved_bytes / 1048576 | if . >= 10 then round
		else . * 10 | round / 10 end) MiB\(if .capped then " *" else "  " end)" | cell(11);
	"   buffer  path         SNOO  min..max          MPICH  min..max         memcpy    SNOO/MPICH   SNOO moved  MPICH moved",
	(.curve[] | "\(.buffer | human | cell(9))  \(.path | left(9)) \(.snoo | range)  "
		+ "\(.mpich | range)  \(.memcpy.median_mbps | num | cell(7))  "
		+ (if .ratio then "\(.ratio * 100 | round / 100 | cell(9)) x" else "        -  " end)
		+ "  \(.snoo | moved)  " + (if .mpich then .mpich | moved else "" end)),
	"",
	"MB/s (10^6 bytes), median of \([.samples[].round] | max) rounds.  "
		+ "* stopped by the limit of \(.settings.cap_ms) ms a sample.",
	"The path changes above \(.switch_points.register_max) B (register to lines), "
		+ "\(.switch_points.lines_max | human) (lines to block) "
		+ "and above \(.switch_points.block_max | human) (block to streamed)."
	' "$OUT/curve.json"
[[ -n $MPICH_WHY ]] && say "MPICH: skipped: $MPICH_WHY."
bad=$(jq '[.samples[] | select(.api != "memcpy" and .core0 == .core1)] | length' "$OUT/curve.json")
((bad > 0)) && say "Beware: in $bad samples both ranks ran on one core."

if command -v gnuplot >/dev/null; then
	"$TOP/bench/paper_plot.sh" "$OUT/curve.json" "$OUT/curve" || die "gnuplot failed"
	say "Plot: $OUT/curve.svg and curve.png; figures: curve.json.  $spent s."
else
	say "Figures: $OUT/curve.json.  No plot: gnuplot is not installed.  $spent s."
fi
