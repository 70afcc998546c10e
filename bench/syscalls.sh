#!/bin/bash
# SPDX-License-Identifier: MIT
# syscalls.sh - show that the data path makes no system call while both sides run
#
# Usage: bench/syscalls.sh [MESSAGES]
#
# strace watches both ranks of bench/steady.c; counted are the calls between
# its markers, for MESSAGES messages and for twice as many.  When a rank loses
# its core to another program, its partner goes to sleep after a while and must
# be woken, which is a few calls; so the table has how often that happened to
# the two ("preempted").  Status 1: more calls than one in 1000 messages, four
# for each time that a core was taken, and eight.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"

N=${1:-100000}
[[ $N =~ ^[1-9][0-9]*$ ]] || die "MESSAGES is '$N', must be a number"
command -v strace >/dev/null || { say "strace is not installed (Debian: strace)"; exit 77; }
bench_begin bin/snoo-daemon bin/snoorun bench/steady
daemon_start
switch_points
sizes=(8 "$REGISTER_MAX" 64 4096 "$BLOCK_MAX" $((BLOCK_MAX * 4)) 1048576)

# trace MESSAGES: one file a rank.
trace() {
	rm -f "$BENCH_TMP"/trace.*
	TRACE=$BENCH_TMP/trace snoo_run 2 sh -c \
		'exec strace -f -qq -o "$TRACE.$SNOO_RANK" "$@"' sh \
		"$B/bench/steady" "$1" "${sizes[@]}" ||
		die "cannot trace (is ptrace allowed here?)"
}

# between: "what bytes messages rank calls taken names" of each phase.
between() {
	local r
	for r in 0 1; do
		awk -v rank="$r" '
		/write\(-1, "/ {
			split($0, q, "\""); split(q[2], w, " ")
			if (w[1] == "begin") {
				inside = 1; calls = 0; split("", name)
			} else if (w[1] == "end") {
				inside = 0
			} else {
				list = ""
				for (c in name) list = list " " c ":" name[c]
				print w[2], w[3], w[4], rank, calls, w[5], list
			}
			next
		}
		inside {
			call = $0; sub(/^[0-9]+ +/, "", call); sub(/\(.*/, "", call)
			if (call ~ /^[a-z_0-9]+$/) { calls++; name[call]++ }
		}' "$BENCH_TMP/trace.$r"
	done
}

trace "$N"
between >"$BENCH_TMP/once"
trace $((2 * N))
between >"$BENCH_TMP/twice"

say "System calls of each rank between begin and end of a steady phase"
say
awk -v reg="$REGISTER_MAX" -v run="$LINES_MAX" -v block="$BLOCK_MAX" '
BEGIN {
	printf "%-8s %8s %-8s %4s %15s %15s %11s  %s\n", "pattern", "bytes",
		"path", "rank", "calls/messages", "twice as many", "preempted", "calls"
}
FNR == NR { once[$1, $2, $4] = $5 "/" $3; next }
{ taken[$1, $2] += $6; line[++n] = $0 }
END {
	for (i = 1; i <= n; i++) {
		$0 = line[i]
		which = ""
		for (k = 7; k <= NF; k++) which = which " " $k
		printf "%-8s %8d %-8s %4d %15s %15s %11d %s\n", $1, $2,
			$2 <= reg ? "register" : $2 <= run ? "lines" : $2 <= block ? "block" : "streamed",
			$4, once[$1, $2, $4], $5 "/" $3, taken[$1, $2], which
		if ($5 > $3 / 1000 + 8 + 4 * taken[$1, $2]) bad++
	}
	print ""
	if (!n) { print "no phase was seen"; exit 1 }
	print bad ? bad " of " n " phases make calls for their messages." : \
		"No phase makes calls for its messages."
	exit bad > 0
}' "$BENCH_TMP/once" "$BENCH_TMP/twice"
