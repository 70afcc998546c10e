# SPDX-License-Identifier: MIT
# crowd.sh - more ranks than cores
# shellcheck shell=bash disable=SC2034,SC2154
#
#   crowd_round ROUND        one round of all libraries in $apis, in turn
#
# There only a library that yields or sleeps comes forward.
#
# Needs sample.sh; $MS.

crowd_round() {
	local r=$1 api
	for api in "${apis[@]}"; do
		show "round $r of $ROUNDS: $api, 4 ranks"
		sample "$api" "$r" run "$api" 4 pingpong -t "$MS" 8 64K
		sample "$api" "$r" run "$api" 4 barrier -t "$MS"
	done
}
