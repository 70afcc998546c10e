#!/bin/bash
# SPDX-License-Identifier: MIT
# wake.sh - what it takes to wake a rank: futex against eventfd
#
# Usage: bench/wake.sh [ROUNDS [MS]]
#
# Two domains of one daemon, which differ in ivshmem.host_bells alone; ranks do
# not spin (spin_us 0), so that each message of a ping-pong ends a sleep.  The
# domains alternate in every round.  One way, in ns: the median over the rounds,
# with the smallest and the largest value.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=${1:-11}
MS=${2:-200}
bench_begin bin/snoo-daemon bin/snoorun bench/pingpong
mkdir "$BENCH_TMP/run"
"$B/bin/snoo-daemon" --runtime-dir "$BENCH_TMP/run" \
	--set domains.futex.spin_us=0 \
	--set domains.eventfd.spin_us=0 \
	--set domains.eventfd.ivshmem.host_bells=true \
	>"$BENCH_TMP/daemon.log" 2>&1 &
DAEMON_PID=$!
until [[ -S $BENCH_TMP/run/futex.sock && -S $BENCH_TMP/run/eventfd.sock ]]; do
	kill -0 "$DAEMON_PID" 2>/dev/null || die "$(cat "$BENCH_TMP/daemon.log")"
	sleep 0.05
done

# one_way DOMAIN: half of a round, in ns.
one_way() {
	timeout "$LIMIT" "$B/bin/snoorun" -n 2 \
		--socket "$BENCH_TMP/run/$1.sock" --no-prefix -- \
		"$B/bench/pingpong" -t "$MS" 8 |
		jq -r 'select(.bench == "pingpong") | .ns / 2 | floor'
}
for ((i = 0; i < ROUNDS; i++)); do
	for d in futex eventfd; do
		one_way $d >>"$BENCH_TMP/$d" || die "a round failed"
	done
done

median() {
	sort -n "$BENCH_TMP/$1" | awk '{ v[NR] = $1 }
		END { print v[int((NR + 1) / 2)], v[1], v[NR] }'
}
for d in futex eventfd; do
	read -r mid low high < <(median $d)
	printf '%-8s one way %6d ns (%d to %d)\n' $d "$mid" "$low" "$high"
done
awk -v a="$(median futex | cut -d' ' -f1)" \
	-v b="$(median eventfd | cut -d' ' -f1)" \
	'BEGIN { printf "eventfd / futex: %.2f\n", b / a }'
