# SPDX-License-Identifier: MIT
# sample.sh - run one program over one library in one round, keep what it says
# shellcheck shell=bash disable=SC2034,SC2154
#
#   sample_begin             an empty file of samples, $SAMPLES
#   show TEXT [line]         what goes on; line: also where there is no terminal
#   run API RANKS PROGRAM ARGUMENT...
#                            a program of bench/ over that library
#   sample API ROUND COMMAND...
#                            keep its JSON lines, marked with both; 1: a peer
#                            failed
#   keep API ROUND [JSON]    such lines from standard input, marked with that, too
#
# Needs lib.sh and peers.sh.

TTY=0
[[ -t 1 ]] && TTY=1

sample_begin() {
	SAMPLES=$BENCH_TMP/samples
	: >"$SAMPLES"
}

show() {
	if ((TTY)); then
		printf '\r  %s\033[K' "$1"
	elif [[ ${2:-} == line ]]; then
		say "  $1"
	fi
}

run() {
	local api=$1 n=$2 prog=$3
	shift 3
	if [[ $api == snoo ]]; then
		snoo_run "$n" "$B/bench/$prog" "$@"
	else
		mpi_run "$api" "$n" "$B/bench/${api%_nocma}/$prog" "$@"
	fi
}

keep() {
	sed -n 's/^[^{]*\({"bench".*}\).*$/\1/p' |
		jq -c --arg api "$1" --argjson round "$2" --argjson more "${3:-{\}}" \
			'. + {api: $api, round: $round} + $more' >>"$SAMPLES"
}

# A failure of ours ends the run.  That of a peer is told in the results; what
# it printed before counts.
sample() {
	local api=$1 round=$2 out=$BENCH_TMP/out status
	shift 2
	"$@" >"$out" 2>"$BENCH_TMP/err"
	status=$?
	if ((status)) && [[ $api == snoo || $api == bare || $api == memcpy ]]; then
		sed 's/^/  /' "$BENCH_TMP/err" "$out" >&2
		die "$api failed with status $status: $*"
	fi
	keep "$api" "$round" <"$out"
	((status)) || return 0
	jq -nc --arg command "$*" --argjson status "$status" \
		'{bench: "failed", command: $command, status: $status}' |
		keep "$api" "$round"
	return 1
}
