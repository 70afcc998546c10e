#!/bin/bash
# SPDX-License-Identifier: MIT
# probe.sh - snoo-daemon --probe-registers on a Loongson-3
# timeout: 420
. tests/loongson/lib.sh

# probe NAME [=write]: a test: it reports, as JSON; the report is in $report.
probe() {
	local rc
	report=$(there 0 snoo-daemon "--probe-registers${2:-}" 2>"$D/probe.err")
	rc=$?
	if ((rc == 0)) && jq -e . >/dev/null 2>&1 <<<"$report"; then
		pass "$1"
	else
		fail "$1" "status $rc
$(cat "$D/probe.err")
$report"
	fi
}

# says NAME FILTER WANT: a test: what the report says.
says() {
	is "$1" "$(jq -c "$2" <<<"$report")" "$3"
}

mailboxes() {
	jq -c '[.cores[].mailboxes]' <<<"$report"
}

boot 4
probe "it reports what there is"
jq -c . <<<"$report" | sed 's/^/# /'
says "a Loongson" '.processor.chip != null' true
says "emulated, and looked at all the same" '[.processor.virtual, .reachable]' '[true,true]'
says "pages of 16 KiB" .page_bytes 16384
says "one node, at the manual's address" '[.nodes[].address]' '["0x3ff01000"]'
says "four cores online" '[.cores[] | select(.online) | .core]' '[0,1,2,3]'
says "with the kernel's ENABLE" '[.cores[].enable] | unique' '["0xffffffff"]'
says "what bringing up a core left is not told" \
	'[.cores[1:][].mailboxes[1:3][]] | unique' '["kernel address"]'
says "nobody uses them" .in_use false
says "nothing was written" .said '"nothing was written"'
before=$(mailboxes)
probe "it reports once more"
is "and nothing has changed" "$(mailboxes)" "$before"

probe "it writes when it is told to" =write
jq -c '.write | del(.kept)' <<<"$report" | sed 's/^/# /'
says "only mailboxes" .said \
	'"MailBox1..3 of online cores, and nothing else, were written"'
says "each keeps what each core writes" \
	'.write.kept | [length, ([.[].boxes[]] | length), all(.[].boxes[]; .keeps)]' '[4,48,true]'
# Cores that look for each other's words in turns see few of them, or none.
says "no word is seen in part" '.write.torn | [.pinned, .reads > 0, .torn]' '[true,true,0]'
says "no word comes before what it announces" '.write.order | [.pinned, .stale]' '[true,0]'
says "it has tried every way between two cores" \
	'.write.one_way_ns | [length, all(.[]; .pinned)]' '[6,true]'
says "messages arrive" '.write.message_ns | [length, all(.[]; .ns > 0)]' '[3,true]'
probe "the kernel lives on"
says "its ENABLE is as it was" '[.cores[].enable] | unique' '["0xffffffff"]'
says "and MailBox0" '[.cores[].mailboxes[0]] | unique' '["empty"]'

# A daemon is at work: no word of ours may come between its words.
daemon_there
ranks_there stream 4 /snoo/e2e/stream -l 56
ok "a job by the registers" eventually flowing 20
probe "it reports beside a daemon that uses them" =write
says "and leaves them alone" '.write | type == "string" and contains("in use")' true
for r in 0 1 2 3; do
	e2e_kill TERM "${pid_of[stream.$r]}"
done
all_well "of which no message was spoilt" stream 4
daemon_ends
done_testing
