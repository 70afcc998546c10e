#!/bin/bash
# SPDX-License-Identifier: MIT
# registers-job.sh - jobs whose small messages go through (emulated) mailboxes
#
# Small and large messages mixed, their order verified over both paths; who
# leaves or dies right after sending; what is shown; nothing for nothing.
# timeout: 240
. tests/lib/e2e.sh

daemon_start --pool-size 32M --set hal=emul --set registers=hardware

# regs MEMBER: of status.
regs() {
	admin status | jq -r ".registers.$1"
}
# of JOB COUNTER: over the ranks that are there.
of() {
	admin ranks | jq "[.[] | select(.job == \"$1\") | .counters.$2] | add // 0"
}
cores=$(admin status | jq .registers.cores)

# ---- what is shown ----

is "in use: the emulated mailboxes" "$(regs in_use) $(regs backend)" \
	"hardware emul"
like "and why" "$(regs reason)" "^the configuration says so"
like "for people" \
	"$("$BIN/snooctl" --socket "$D/admin.sock" status | sed -n '/^registers:/,/^domains:/p')" \
	"in use +hardware.*backend +emul.*asleep +yes"
like "as metrics" \
	"$("$BIN/snooctl" --socket "$D/admin.sock" metrics | grep '^snoo_registers_')" \
	"snoo_registers_messages 0.*snoo_registers_words"
is "each core has a block with three mailboxes" \
	"$(admin registers | jq -c '[.cores[] | .mailboxes | length] | unique')" "[3]"
like "for people" "$("$BIN/snooctl" --socket "$D/admin.sock" registers)" \
	"CPU +NODE +CORE +ONLINE +STATUS +ENABLE +MAILBOXES.*0x00000000  +0x00000000  +empty, empty, empty"
is "a table of its own if lines carry the messages" \
	"$(admin registers | jq -r 'keys[0]')" cores

# ---- a job ----

bystander_start
messages=$(regs messages)
copied=$(regs copied)
job mixed 2 "$E2E/stream" -n 3000 -w 8 -l 70000
# While it runs: the admin socket is answered, and what is in mailboxes is not
# garbage.
until admin registers >>"$D/seen" && e2e_ended "${pid_of[mixed.0]}"; do
	sleep 0.02
done
all_well "small and large messages in both directions, in order" mixed 2
is "what stands in mailboxes meanwhile is no garbage" \
	"$(jq -r '.cores[].mailboxes[].type' "$D/seen" | grep -c garbage)" 0
if ((cores > 1)); then
	ok "the small ones went through mailboxes" \
		test $(($(regs messages) - messages)) -gt 1000
	ok "each of them in several words" \
		test $(($(regs words) - 4 * $(regs messages))) -gt 0
else
	ok "on one core they were copied" \
		test $(($(regs copied) - copied)) -gt 1000
fi
is "nothing was garbage, repeated or given up" \
	"$(regs garbage) $(regs repeats) $(regs given_up)" "0 0 0"

job four 4 "$E2E/stream" -n 600 -w 4 -l 5000
all_well "four ranks" four 4
job alone 1 "$E2E/safe" barrier 100
all_well "a job of one" alone 1
SNOO_CORE=-2 job free 2 "$E2E/stream" -n 300 -l 200
all_well "ranks that are not pinned" free 2
job one 2 env SNOO_CORE=0 "$E2E/stream" -n 300 -l 200
all_well "two ranks on one core" one 2
ok "their messages are copied" test $(($(regs copied) - copied)) -gt 600
for what in "tags 200 40" "unread 30" "flood 5000" "barrier 500"; do
	# shellcheck disable=SC2086 # words
	job safe 3 "$E2E/safe" $what
	all_well "safe $what" safe 3
done
job forker 2 "$E2E/forker"
all_well "a rank forks: the child gets -ESTALE, the parent goes on" forker 2
bystander_moves "beside all that"

# ---- who counts ----

job pair 2 "$E2E/stream" -u 200 -l 56 -p "$D/pair"
ok "a pair talks" eventually eval '(($(counted "$D/pair" 0) > 300))'
ok "its ranks count what they hand to the registers" \
	test "$(of pair sent_mailbox)" -gt 200
ok "and what comes from there" test "$(of pair received_mailbox)" -gt 200
e2e_kill TERM "${pid_of[pair.0]}"
e2e_kill TERM "${pid_of[pair.1]}"
all_well "every message verified" pair 2

# ---- ends ----

# As many as fit: rings of registers and channels, while nobody reads.
for how in "" kill; do
	rm -f "$D/go"
	# shellcheck disable=SC2086 # a word or none
	job leaver 3 "$E2E/leaver" 60 "$D/go" $how
	# The daemon may have forgotten it by then, if the others were still
	# in their first call and have taken all out of its rings.
	gone() {
		! kill -0 "${pid_of[leaver.0]}" 2>/dev/null
	}
	ok "rank 0 sends and ${how:-leave}s" eventually gone
	touch "$D/go"
	finish leaver
	is "the others get all of it, in order, then the news" \
		"$(status leaver 1) $(status leaver 2) $(text leaver 1)$(text leaver 2)" "0 0 "
done
for i in 1 2 3 4; do
	rm -f "$D/counts"
	job dying 3 "$E2E/stream" -p "$D/counts" -k $((i % 3)) -l 56
	eventually eval '(($(counted "$D/counts" $((i % 3))) > 30))'
	e2e_kill KILL "${pid_of[dying.$((i % 3))]}"
	for r in 0 1 2; do
		((r == i % 3)) || e2e_kill TERM "${pid_of[dying.$r]}"
	done
	finish dying
	is "rank $((i % 3)) is killed: what it had sent has come" \
		"$(status dying $(((i + 1) % 3))) $(status dying $(((i + 2) % 3)))" "0 0"
done
bystander_end
books_balance "every byte of the pool is free again"

# ---- nothing for nothing ----

job idle 8 "$E2E/quiet" wait
asleep() {
	admin ranks | jq -e '[.[] | select(.job == "idle")] |
		length == 8 and all(.[]; .sleeping and .call == "recv")' >/dev/null
}
ok "8 ranks sleep in a receive" eventually asleep
service_sleeps() {
	[[ $(regs asleep) == true ]]
}
ok "the service sleeps" eventually service_sleeps
worker=$(daemon_worker)
sleep 0.2	# it closes our connection
before=$(turns "$worker")
sleep 2
is "an idle daemon does not run once in 2 s" $(($(turns "$worker") - before)) 0
for r in {0..7}; do
	e2e_kill TERM "${pid_of[idle.$r]}"
done
finish idle
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
