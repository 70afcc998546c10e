#!/bin/bash
# SPDX-License-Identifier: MIT
# idle.sh - an idle daemon and blocked ranks use no CPU
#
# Usage: bench/idle.sh [SECONDS [RANKS]]
#
# Processor time (utime + stime of /proc/PID/stat, and the scheduler's
# nanoseconds where the kernel shows them) of snoo-daemon, snoorun and RANKS
# ranks that are blocked in snoo_recv(), over SECONDS.  The last line is JSON.
# Status 1: somebody used a clock tick or more.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"

SECS=${1:-10}
RANKS=${2:-4}
bench_begin bin/snoo-daemon bin/snoorun bench/blocked
daemon_start

out=$BENCH_TMP/blocked
"$B/bin/snoorun" -n "$RANKS" --socket "$SNOO_SOCKET" --no-prefix -- \
	"$B/bench/blocked" >"$out" 2>&1 &
runner=$!
until (($(grep -c '"blocked"' "$out") == RANKS)); do
	kill -0 "$runner" 2>/dev/null || die "the ranks ended: $(cat "$out")"
	sleep 0.1
done
# They spin for a moment, then sleep.
sleep 1
names=(snoo-daemon snoorun)
pids=("$DAEMON_PID" "$runner")
while read -r rank pid; do
	names+=("rank $rank")
	pids+=("$pid")
done < <(sed -n 's/^[^{]*\({"bench".*}\).*$/\1/p' "$out" | jq -r '"\(.rank) \(.pid)"' | sort -n)

# used PID: "ticks nanoseconds" of all its threads.
used() {
	local t ns=0 one
	for t in /proc/"$1"/task/*/schedstat; do
		[[ -r $t ]] && read -r one _ <"$t" && ns=$((ns + one))
	done
	sed 's/.*) //' "/proc/$1/stat" | awk -v ns="$ns" '{ print $12 + $13, ns }'
}
before=()
for p in "${pids[@]}"; do before+=("$(used "$p")"); done
sleep "$SECS"
bad=0
ticks=0
all_ns=0
printf '%-14s %12s %16s   over %s s\n' process "clock ticks" microseconds "$SECS"
for i in "${!pids[@]}"; do
	read -r t0 n0 <<<"${before[i]}"
	read -r t1 n1 <<<"$(used "${pids[i]}")"
	printf '%-14s %12d %16d\n' "${names[i]}" $((t1 - t0)) $(((n1 - n0) / 1000))
	((t1 > t0)) && bad=$((bad + 1))
	ticks=$((ticks + t1 - t0))
	all_ns=$((all_ns + n1 - n0))
done
kill "$runner"
wait "$runner" 2>/dev/null
printf '{"bench":"idle","ranks":%d,"seconds":%d,"ticks":%d,"ns":%d}\n' \
	"$RANKS" "$SECS" "$ticks" "$all_ns"
((bad == 0)) && say "Nobody used a clock tick." || say "$bad processes used processor time."
((bad == 0))
