#!/bin/bash
# SPDX-License-Identifier: MIT
# registers-again.sh - other scripts once more, with small messages in mailboxes
#
# Deaths of ranks and daemons, misuse, guests beside it, and programs that must
# end however small the pool: none of it may depend on what carries a message.
# timeout: 600
. tests/lib/e2e.sh

export E2E_DAEMON="--set hal=emul --set registers=hardware"
for script in kill-daemon kill-rank fault-rank fault-wire safe-pool \
	container-pair bells-host; do
	if "$BASH" "tests/e2e/$script.sh" >"$D/out" 2>&1; then
		pass "$script.sh by registers ($(grep -c '^ok' "$D/out") tests)"
	else
		fail "$script.sh by registers" "$(grep -A 20 '^not ok' "$D/out")"
	fi
done
done_testing
