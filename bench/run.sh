#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh - SNOO beside its peers and beside what the machine can do: `make bench`
#
# Usage: bench/run.sh [--quick] [--rounds N] [--ms MS] [--only PART,...]
#		      [--peers PEER,...] [--out FOLDER] [--mixed]
#
#   pair      two ranks: latency, bandwidth, rate, barrier, late
#             messages, loans (pair.sh)
#   crowd     more ranks than cores				(crowd.sh)
#   growth    one job of 2 to 256 ranks				(growth.sh)
#   shares    jobs that compete for a pool that is short	(shares.sh)
#   idle      a daemon and ranks with nothing to do		(idle.sh)
#
# One source over one thin layer for each library.  The libraries take turns in
# every round.  Results are medians over the rounds, with the smallest and the
# largest; each has its ratio to the best peer and to what the machine can do.
#
# Leaves bench.json, the tables, bench.txt, and plots (plot.sh) in FOLDER, or
# bench/ of the build folder.  --quick: fewer sizes, ranks and rounds, about a
# minute.  --mixed: two ranks are compared whatever the distance of their cores
# was (pair.sh).
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=bench/peers.sh
. "$TOP/bench/peers.sh"
# shellcheck source=bench/ucx.sh
. "$TOP/bench/ucx.sh"
# shellcheck source=bench/sample.sh
. "$TOP/bench/sample.sh"
# shellcheck source=bench/pair.sh
. "$TOP/bench/pair.sh"
# shellcheck source=bench/crowd.sh
. "$TOP/bench/crowd.sh"
# shellcheck source=bench/growth.sh
. "$TOP/bench/growth.sh"
# shellcheck source=bench/shares.sh
. "$TOP/bench/shares.sh"

QUICK=0
MIXED=false
PARTS=(pair crowd growth shares idle)
ONLY=
PEERS=mpich,openmpi,ucx
ROUNDS=
MS=
OUT=
while (($#)); do
	case $1 in
	--quick) QUICK=1 ;;
	--mixed) MIXED=true ;;
	--rounds | --ms)
		[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number"
		[[ $1 == --rounds ]] && ROUNDS=$2 || MS=$2
		shift ;;
	--only | --peers | --out)
		[[ -n ${2:-} ]] || die "$1 needs a value"
		case $1 in
		--only) ONLY=$2 ;;
		--peers) PEERS=$2 ;;
		--out) OUT=$2 ;;
		esac
		shift ;;
	*) die "unknown option $1: --quick, --rounds, --ms, --only, --peers, --out and --mixed are known" ;;
	esac
	shift
done
# crowd, growth, shares and MPIs without CMA take long and vary less: MORE rounds.
if ((QUICK)); then
	UCX_CHUNK=24
	ROUNDS=${ROUNDS:-2} MS=${MS:-15} MORE=1
	sizes=(0 1 8 56 64 1K 4K 16K 64K 256K 1M 4M)
	cma_sizes=(64K 1M)
	CROWD=(4) GROWTH=(2 4 8 16)
else
	ROUNDS=${ROUNDS:-5} MS=${MS:-60} MORE=3
	sizes=(0 1 2 4 8 16 32 56 64 128 256 512 1K 2K 4K 8K 16K 32K 64K 128K
		256K 512K 1M 2M 4M)
	cma_sizes=(64K 256K 1M 4M)
	CROWD=(4 8 16) GROWTH=(2 4 8 16 32 64 128 256)
fi
((MORE > ROUNDS)) && MORE=$ROUNDS
SPAN_MS=$((MS * 50))
SHARES_LEAD_MS=$((MS * 25))
for p in ${ONLY//,/ }; do
	[[ " ${PARTS[*]} " == *" $p "* ]] || die "no part $p: ${PARTS[*]} are known"
done
for p in ${PEERS//,/ }; do
	[[ $p =~ ^(mpich|openmpi|ucx|none)$ ]] ||
		die "no peer $p: mpich, openmpi, ucx and none are known"
done
# part NAME [ROUND]: is it wanted (in this round)?
part() {
	[[ -z $ONLY || ,$ONLY, == *,$1,* ]] && ((${2:-1} <= MORE))
}

bench_begin bin/snoo-daemon bin/snoorun bin/snooctl bench/pingpong \
	bench/stream bench/barrier bench/ring bench/allreduce bench/beside \
	bench/loan bench/wake bench/growth bench/flow bench/tail bench/copy bench/micro/line
OUT=${OUT:-$B/bench}
mkdir -p "$OUT"
sample_begin

# peer NAME: is it wanted and there?
peer() {
	local why=${1^^}_WHY
	if [[ ,$PEERS, != *,$1,* ]]; then
		printf -v "$why" 'not asked for (--peers)'
		return 1
	fi
	"${1}_find"
}
built=()
for p in mpich openmpi; do
	peer "$p" || continue
	for prog in pingpong stream barrier wake ring allreduce beside; do
		mpi_cc "$p" "$B/bench/$p/$prog" -DBENCH_MPI "bench/$prog.c" \
			bench/drive.c bench/micro/lines.c bench/bench.c || {
			printf -v "${p^^}_WHY" 'its compiler failed'
			continue 2
		}
	done
	built+=("$p")
done
apis=(snoo "${built[@]}")
machine=$(machine_json)
peer ucx && part pair && ucx_choose
settings=$(settings_json | jq --arg ucx "$(ucx_setting)" '. + {ucx: $ucx}')
daemon_start
switch_points

say "SNOO beside its peers: ${#sizes[@]} sizes, $ROUNDS rounds in turn, $MS ms a point."
machine_line "$machine"
jq -r 'to_entries[] | "  \(.key)\(" " * (14 - (.key | length)))\(.value)"' <<<"$settings"
say

begin=$SECONDS
for ((r = 1; r <= ROUNDS; r++)); do
	show "round $r of $ROUNDS ($((SECONDS - begin)) s)" line
	part pair && pair_round "$r"
	part crowd "$r" && crowd_round "$r"
	part growth "$r" && growth_round "$r"
done
daemon_stop
for ((r = 1; r <= MORE; r++)); do
	part shares && shares_round "$r"
done
if part idle; then
	show "an idle daemon and idle ranks"
	sample idle 1 env B="$B" "$TOP/bench/idle.sh" 2 4
fi
((TTY)) && printf '\r\033[K'
spent=$((SECONDS - begin))

# What `make run-vm` has left, if it has: guests take minutes to boot.
vm=$(jq -c . "$B/run-vm/vm.json" 2>/dev/null) || vm=null
jq -s --argjson machine "$machine" --argjson settings "$settings" \
	--argjson reg "$REGISTER_MAX" --argjson lines "$LINES_MAX" --argjson block "$BLOCK_MAX" \
	--argjson spent "$spent" --argjson ms "$MS" --argjson limit "$SHARES_LIMIT" \
	--argjson vm "$vm" --argjson mixed "$MIXED" -f "$TOP/bench/summary.jq" \
	"$SAMPLES" >"$OUT/bench.json" || die "cannot write $OUT/bench.json"
jq -r -f "$TOP/bench/table.jq" "$OUT/bench.json" | tee "$OUT/bench.txt"
say
if command -v gnuplot >/dev/null; then
	plots=$("$TOP/bench/plot.sh" "$OUT/bench.json" "$OUT") || die "gnuplot failed"
	say "In $OUT: bench.json, bench.txt, and ${plots}as .svg and .png.  $spent s."
else
	say "In $OUT: bench.json, bench.txt.  No plot: gnuplot is not installed.  $spent s."
fi
