# SPDX-License-Identifier: MIT
# pair.sh - two ranks: latency, bandwidth, rate, barrier, loans; what limits them
# shellcheck shell=bash disable=SC2034,SC2154
#
#   pair_round ROUND         one round of all libraries in $apis, in turn
#
# Beside them, in the same round, what the machine can do at best: the bare
# cache line and memcpy.  Without CMA the MPIs are another peer where CMA would
# be used.
#
# Needs sample.sh, ucx.sh; $apis, $sizes, $cma_sizes, $MS, $ROUNDS.

LOANS=(64 4K 64K 1M)

pair_round() {
	local r=$1 api
	sample bare "$r" "$B/bench/micro/line" "$MS"
	sample memcpy "$r" "$B/bench/copy" 64M $((MS / 2 + 1)) "${sizes[@]:1}"
	for api in "${apis[@]}"; do
		show "round $r of $ROUNDS: $api, 2 ranks"
		sample "$api" "$r" run "$api" 2 pingpong -t "$MS" "${sizes[@]}"
		sample "$api" "$r" run "$api" 2 stream -t "$MS" "${sizes[@]:1}"
		sample "$api" "$r" run "$api" 2 barrier -t "$MS"
	done
	show "round $r of $ROUNDS: snoo, loans"
	sample snoo "$r" run snoo 2 loan -t "$MS" "${LOANS[@]}"
	for api in "${apis[@]/%/_nocma}"; do
		[[ $api != snoo* ]] || continue
		show "round $r of $ROUNDS: $api"
		sample "$api" "$r" run "$api" 2 pingpong -t "$MS" "${cma_sizes[@]}"
		sample "$api" "$r" run "$api" 2 stream -t "$MS" "${cma_sizes[@]}"
	done
	if [[ -z $UCX_WHY ]]; then
		show "round $r of $ROUNDS: ucx_perftest"
		sample ucx "$r" ucx_run lat "$MS" "${sizes[@]}"
		sample ucx "$r" ucx_run bw "$MS" "${sizes[@]:1}"
	fi
}
