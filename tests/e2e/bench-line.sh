#!/bin/bash
# SPDX-License-Identifier: MIT
# bench-line.sh - the bare line is measured again at once: between two ranks of
#		  one core the other one has never seen the end of it by then
# timeout: 120
. tests/lib/e2e.sh

PINGPONG=$(realpath "${B:-build}/bench/pingpong")
[[ -x $PINGPONG ]] || skip_all "bench/pingpong is not built"

daemon_start --pool-size 16M
run_ends "two sizes, each between two looks at the line" 0 \
	'"line_after_ns".*"line_after_ns"' \
	timeout 60 "$BIN/snoorun" -n 2 --core-list 0 --socket "$SOCKET" \
	--no-prefix -- "$PINGPONG" -t 1 -l "$D/line" 8 8
daemon_stop
is "the daemon ended well" "$daemon_status" 0
done_testing
