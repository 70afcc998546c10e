# SPDX-License-Identifier: MIT
# pair.sh - two ranks: latency, bandwidth, rate, barrier, late messages, loans; limits
# shellcheck shell=bash disable=SC2034,SC2154
#
#   pair_round ROUND         one round of all libraries in $apis, in turn
#
# Beside them, in the same round, what the machine can do at best: the bare
# cache line and memcpy.  Without CMA the MPIs are another peer where CMA would
# be used.  Another one begins in each round.
#
# A virtual machine's cores move: a line between them takes 50 ns now and 200 ns
# a second later.  So each size is measured between two looks at the bare line
# (-l of drive.h; pair_between for others), and only what was measured at one
# distance is compared.  Before each library a short wait for the usual distance.
#
# Needs sample.sh, ucx.sh; $apis, $sizes, $cma_sizes, $MS, $ROUNDS, $MORE.

LOANS=(64 4K 64K 1M)
LATE_US=(100 300 1000)	# that a sender computes
UCX_CHUNK=2		# sizes between two looks; --quick: all

# pair_bare: a look at the bare line, ns.
pair_bare() {
	"$B/bench/micro/line" 2 | jq .two_lines_ns
}

# pair_settle: up to some seconds, until the cores are as far from each other as
# most of the time.
pair_settle() {
	local i
	if [[ -z ${PAIR_USUAL:-} ]]; then
		PAIR_USUAL=$(for ((i = 0; i < 15; i++)); do pair_bare; done |
			jq -s 'sort | .[length / 2 | floor]')
	fi
	for ((i = 0; i < 20; i++)); do
		jq -ne "$(pair_bare) / $PAIR_USUAL | . > 0.6 and . < 1.8" >/dev/null && return
		sleep 0.1
	done
}

# pair_between ROUND API COMMAND...: keep what it says with the bare line before
# and after it; once more if that has changed.
pair_between() {
	local r=$1 api=$2 before after try
	shift 2
	for try in 1 2 3; do
		before=$(pair_bare)
		"$@" >"$BENCH_TMP/between" 2>"$BENCH_TMP/err" || {
			sample "$api" "$r" false
			return
		}
		after=$(pair_bare)
		jq -ne "($before | . * 1.5 < $after) or ($after * 1.5 < $before)" \
			>/dev/null || break
	done
	keep "$api" "$r" "{\"line_before_ns\": $before, \"line_after_ns\": $after}" \
		<"$BENCH_TMP/between"
}

pair_ucx() {
	local r=$1 kind=$2 i
	shift 2
	for ((i = 1; i <= $#; i += UCX_CHUNK)); do
		pair_between "$r" ucx ucx_run "$kind" "$MS" "${@:i:UCX_CHUNK}"
	done
}

pair_one() {
	local r=$1 api=$2 look=(-l "$BENCH_TMP/line") us
	(($(nproc) > 1)) || look=()
	show "round $r of $ROUNDS: $api, 2 ranks"
	case $api in
	ucx)
		pair_ucx "$r" lat "${sizes[@]}"
		pair_ucx "$r" bw "${sizes[@]:1}" ;;
	*_nocma)
		sample "$api" "$r" run "$api" 2 pingpong -t "$MS" "${look[@]}" "${cma_sizes[@]}"
		sample "$api" "$r" run "$api" 2 stream -t "$MS" "${look[@]}" "${cma_sizes[@]}" ;;
	*)
		sample "$api" "$r" run "$api" 2 pingpong -t "$MS" "${look[@]}" "${sizes[@]}"
		sample "$api" "$r" run "$api" 2 stream -t "$MS" "${look[@]}" "${sizes[@]:1}"
		sample "$api" "$r" run "$api" 2 barrier -t "$MS" "${look[@]}"
		for us in "${LATE_US[@]}"; do
			sample "$api" "$r" run "$api" 2 wake $((MS * 2000 / us + 10)) "$us"
		done
		[[ $api != snoo ]] ||
			sample "$api" "$r" run "$api" 2 loan -t "$MS" "${look[@]}" "${LOANS[@]}" ;;
	esac
}

pair_round() {
	local r=$1 api all=("${apis[@]}") i
	[[ -n $UCX_WHY ]] || all+=(ucx)
	((r > MORE)) || for api in "${apis[@]}"; do
		[[ $api == snoo ]] || all+=("${api}_nocma")
	done
	sample memcpy "$r" "$B/bench/copy" 64M $((MS / 2 + 1)) "${sizes[@]:1}"
	for ((i = 0; i < ${#all[@]}; i++)); do
		(($(nproc) > 1)) && pair_settle
		sample bare "$r" "$B/bench/micro/line" $((MS / 4 + 1))
		pair_one "$r" "${all[(i + r - 1) % ${#all[@]}]}"
	done
}
