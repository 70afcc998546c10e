#!/bin/bash
# SPDX-License-Identifier: MIT
# bells-again.sh - other scripts once more, with ranks that sleep on eventfds
#
# Deaths of ranks and daemons, and what costs nothing, must not depend on what
# wakes a rank.  Two eventfds for all ranks of the host.
# timeout: 600
. tests/lib/e2e.sh

export E2E_DAEMON="--set domains.default.ivshmem.host_bells=true --set domains.default.ivshmem.vectors=3"
for script in kill-daemon kill-rank fault-rank safe-quiet; do
	if "$BASH" "tests/e2e/$script.sh" >"$D/out" 2>&1; then
		pass "$script.sh by eventfds ($(grep -c '^ok' "$D/out") tests)"
	else
		fail "$script.sh by eventfds" "$(grep -A 20 '^not ok' "$D/out")"
	fi
done
done_testing
