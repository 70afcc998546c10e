#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh - latency, bandwidth, rate and barrier of SNOO, MPICH and Open MPI: `make bench`
#
# Usage: bench/run.sh [--quick] [--rounds N] [--ms MS] [--out FOLDER]
#
# One source (pingpong.c, stream.c, barrier.c) over one thin layer for each
# library.  The libraries take turns in every round; beside them, in the same
# round, the bare cache line (micro/line.c) and memcpy (copy.c).  Results are
# medians over the rounds, with the smallest and the largest.
#
# Leaves bench.json, latency.{svg,png}, bandwidth.{svg,png} and the tables,
# bench.txt, in FOLDER, or bench/ of the build folder.  --quick: fewer sizes, no 4 ranks, < 60 s.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=bench/peers.sh
. "$TOP/bench/peers.sh"
# shellcheck source=bench/sample.sh
. "$TOP/bench/sample.sh"
# shellcheck source=bench/pair.sh
. "$TOP/bench/pair.sh"
# shellcheck source=bench/crowd.sh
. "$TOP/bench/crowd.sh"

QUICK=0
ROUNDS=
MS=
OUT=
while (($#)); do
	case $1 in
	--quick) QUICK=1 ;;
	--rounds | --ms)
		[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number"
		[[ $1 == --rounds ]] && ROUNDS=$2 || MS=$2
		shift ;;
	--out)
		[[ -n ${2:-} ]] || die "$1 needs a folder"
		OUT=$2
		shift ;;
	*) die "unknown option $1: --quick, --rounds, --ms and --out are known" ;;
	esac
	shift
done
if ((QUICK)); then
	ROUNDS=${ROUNDS:-3} MS=${MS:-30}
	sizes=(0 1 8 56 64 1K 4K 16K 64K 256K 1M 4M)
else
	ROUNDS=${ROUNDS:-5} MS=${MS:-60}
	sizes=(0 1 2 4 8 16 32 56 64 128 256 512 1K 2K 4K 8K 16K 32K 64K 128K
		256K 512K 1M 2M 4M)
fi

bench_begin bin/snoo-daemon bin/snoorun bin/snooctl bench/pingpong \
	bench/stream bench/barrier bench/copy bench/micro/line
OUT=${OUT:-$B/bench}
mkdir -p "$OUT"
sample_begin

peers=()
mpich_find && peers+=(mpich)
openmpi_find && peers+=(openmpi)
built=()
for p in "${peers[@]}"; do
	good=1
	for prog in pingpong stream barrier; do
		mpi_cc "$p" "$B/bench/$p/$prog" -DBENCH_MPI "bench/$prog.c" \
			bench/drive.c bench/bench.c || good=0
	done
	if ((good)); then
		built+=("$p")
	elif [[ $p == mpich ]]; then
		MPICH_WHY="its compiler failed"
	else
		OPENMPI_WHY="its compiler failed"
	fi
done
apis=(snoo "${built[@]}")
machine=$(machine_json)
settings=$(settings_json)
daemon_start
switch_points

say "SNOO beside the MPIs: ${#sizes[@]} sizes, $ROUNDS rounds in turn, $MS ms a point."
machine_line "$machine"
jq -r 'to_entries[] | "  \(.key)\(" " * (9 - (.key | length)))\(.value)"' <<<"$settings"
say

begin=$SECONDS
for ((r = 1; r <= ROUNDS; r++)); do
	show "round $r of $ROUNDS ($((SECONDS - begin)) s)" line
	pair_round "$r"
	((QUICK)) || crowd_round "$r"
done
((TTY)) && printf '\r\033[K'
spent=$((SECONDS - begin))
daemon_stop

jq -s --argjson machine "$machine" --argjson settings "$settings" \
	--argjson reg "$REGISTER_MAX" --argjson lines "$LINES_MAX" --argjson block "$BLOCK_MAX" \
	--argjson spent "$spent" --argjson ms "$MS" -f "$TOP/bench/summary.jq" \
	"$SAMPLES" >"$OUT/bench.json" || die "cannot write $OUT/bench.json"
jq -r -f "$TOP/bench/table.jq" "$OUT/bench.json" | tee "$OUT/bench.txt"
say
if command -v gnuplot >/dev/null; then
	"$TOP/bench/plot.sh" "$OUT/bench.json" "$OUT" || die "gnuplot failed"
	say "In $OUT: bench.json, bench.txt, latency.svg and .png, bandwidth.svg and .png.  $spent s."
else
	say "In $OUT: bench.json, bench.txt.  No plot: gnuplot is not installed.  $spent s."
fi
