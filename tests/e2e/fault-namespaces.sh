#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-namespaces.sh - a peer whose pid the daemon cannot see
#
# A daemon in an inner PID namespace and ranks outside of it.  Where the kernel
# hands out a pidfd with the connection (SO_PEERPIDFD, Linux 6.5) the number is
# not needed: the rank is served, and its death noticed.  Elsewhere it is
# refused with the reason.
. tests/lib/e2e.sh

[[ $(id -u) == 0 ]] || skip_all "needs root"
unshare --pid --fork true 2>/dev/null || skip_all "no PID namespaces here"

daemon_launch unshare --pid --fork --kill-child "$BIN/snoo-daemon" \
	--runtime-dir "$D" --pool-size 16M --no-keeper \
	--set domains.default.pool.huge_pages=never ||
	fail "a daemon in an inner PID namespace"

rank out 0 1 "$E2E/stream" -n 1
finish out
if [[ $(status out 0) == 3 ]]; then
	like "a rank outside is refused with the reason" "$(text out 0)" \
		"can't see this process.*PID namespace"
else
	is "a rank outside is served" "$(status out 0)" 0
	bystander_start
	job dying 2 "$E2E/stream" -k 1 -p "$D/counts"
	eventually eval '(($(counted "$D/counts" 1) > 50))'
	e2e_kill KILL "${pid_of[dying.1]}"
	ends "its death is noticed" dying 0 0 verified
	is "the one that was killed" "$(status dying 1)" 137
	bystander_end
	books_balance "every byte of the pool is free again"
fi
# unshare does not pass signals on, but takes its child along.
e2e_kill KILL "$daemon_pid"
done_testing
