# SPDX-License-Identifier: MIT
# pair.sh - two ranks: latency, bandwidth, rate, barrier; and what limits them
# shellcheck shell=bash disable=SC2034,SC2154
#
#   pair_round ROUND         one round of all libraries in $apis, in turn
#
# Needs sample.sh; $sizes, $MS.

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
}
