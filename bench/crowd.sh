# SPDX-License-Identifier: MIT
# crowd.sh - more ranks than cores
# shellcheck shell=bash disable=SC2034,SC2154
#
#   crowd_round ROUND        one round of all libraries in $apis, in turn
#
# There only a library that yields or sleeps comes forward.  Who does not come
# to an end within CROWD_LIMIT_S seconds is told so in the results.
#
# Needs sample.sh; $apis, $CROWD (numbers of ranks), $MS, $ROUNDS.

CROWD_LIMIT_S=30

crowd_round() {
	local r=$1 api n LIMIT=$CROWD_LIMIT_S ON_CORE=
	for n in "${CROWD[@]}"; do
		for api in "${apis[@]}"; do
			show "round $r of $ROUNDS: $api, $n ranks"
			sample "$api" "$r" run "$api" "$n" pingpong -t $((MS * 3)) 8 64K
			sample "$api" "$r" run "$api" "$n" ring -t $((MS * 3))
			sample "$api" "$r" run "$api" "$n" barrier -t $((MS * 3))
			sample "$api" "$r" run "$api" "$n" allreduce -t $((MS * 3))
		done
	done
	# Two that wait for each other and one that computes, all on one core.
	ON_CORE=$(first_cores 1)
	for api in "${apis[@]}"; do
		show "round $r of $ROUNDS: $api, beside one that computes"
		sample "$api" "$r" run "$api" 3 beside $((MS * 4))
	done
}
