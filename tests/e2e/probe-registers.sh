#!/bin/bash
# SPDX-License-Identifier: MIT
# probe-registers.sh - the report of snoo-daemon --probe-registers
#
# On whatever machine this is: a document that can be read by programs, an exit
# status that says whether there are registers, and a reason if not.
. tests/lib/e2e.sh

daemon=$BIN/snoo-daemon

run_ends "another word than write" 2 'takes nothing, or =write' \
	"$daemon" --probe-registers=all
run_ends "a word that is no option" 2 'this is no option: write' \
	"$daemon" --probe-registers write

"$daemon" --probe-registers >"$D/report" 2>"$D/err"
status=$?
ok "it is one JSON object" jq -es 'length == 1 and (.[0] | type) == "object"' \
	"$D/report"
is "nothing on stderr" "$(cat "$D/err")" ""
is "it says that nothing was written" "$(jq -r .said "$D/report")" \
	"nothing was written"
is "the kernel's release" "$(jq -r .kernel.release "$D/report")" "$(uname -r)"
is "the size of a page" "$(jq -r .page_bytes "$D/report")" \
	"$(getconf PAGESIZE)"
if [[ $(jq .reachable "$D/report") = true ]]; then
	is "registers: status 0" "$status" 0
	ok "registers: a core that is online" \
		jq -e '[.cores[] | select(.online)] | length > 0' "$D/report"
else
	is "no registers: status 69" "$status" 69
	ok "no registers: a reason" jq -e '.why | length > 20' "$D/report"
	"$daemon" --probe-registers=write >"$D/report" 2>/dev/null
	is "no registers to write: status 69" $? 69
fi

done_testing
