#!/bin/bash
# SPDX-License-Identifier: MIT
# wake.sh - what it takes to wake a rank: futex against eventfd
#
# Usage: bench/wake.sh [ROUNDS [MESSAGES]]
#
# Two domains of one daemon, which differ in ivshmem.host_bells alone, without BPF
# programs, by which ranks would not sleep.  They alternate in every round.  There
# and back, of which one message ends a sleep: the median over the rounds, with the
# smallest and the largest value.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=${1:-11}
MESSAGES=${2:-2000}
bench_begin bin/snoo-daemon bin/snoorun bench/wake
mkdir "$BENCH_TMP/run"
"$B/bin/snoo-daemon" --runtime-dir "$BENCH_TMP/run" \
	--set telemetry=off --set domains.futex.pool.huge_pages=never \
	--set domains.eventfd.pool.huge_pages=never \
	--set domains.eventfd.ivshmem.host_bells=true \
	>"$BENCH_TMP/daemon.log" 2>&1 &
DAEMON_PID=$!
until [[ -S $BENCH_TMP/run/futex.sock && -S $BENCH_TMP/run/eventfd.sock ]]; do
	kill -0 "$DAEMON_PID" 2>/dev/null || die "$(cat "$BENCH_TMP/daemon.log")"
	sleep 0.05
done

# one DOMAIN: there and back, in ns.
one() {
	timeout "$LIMIT" "$B/bin/snoorun" -n 2 \
		--socket "$BENCH_TMP/run/$1.sock" --no-prefix -- \
		"$B/bench/wake" "$MESSAGES" |
		jq -r 'select(.bench == "wake") | .ns | floor'
}
for ((i = 0; i < ROUNDS; i++)); do
	for d in futex eventfd; do
		one $d >>"$BENCH_TMP/$d" || die "a round failed"
	done
done

median() {
	sort -n "$BENCH_TMP/$1" | awk '{ v[NR] = $1 }
		END { print v[int((NR + 1) / 2)], v[1], v[NR] }'
}
for d in futex eventfd; do
	read -r mid low high < <(median $d)
	printf '%-8s %7d ns (%d to %d)\n' $d "$mid" "$low" "$high"
done
awk -v a="$(median futex | cut -d' ' -f1)" \
	-v b="$(median eventfd | cut -d' ' -f1)" \
	'BEGIN { printf "eventfd / futex: %.2f\n", b / a }'
