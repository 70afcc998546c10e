#!/bin/bash
# SPDX-License-Identifier: MIT
# registers-modes.sh - who carries messages, as the configuration has it; and a
#		       configuration that changes between two daemons
# timeout: 180
. tests/lib/e2e.sh

regs() {
	admin status | jq -r ".registers.$1"
}
warnings() {
	admin status | jq -r '.warnings[]?'
}
of() {
	admin ranks | jq "[.[] | select(.job == \"$1\") | .counters.$2] | add // 0"
}

# ---- machines without registers ----

loongson() {
	grep -qi loongson /proc/cpuinfo
}
if loongson; then
	skip "what is said where there are no registers" "this is a Loongson"
else
	run_ends "registers: hardware, hal: loongson: it does not start" 2 \
		'"hardware" and hal "loongson", but .*"lines"' \
		"$BIN/snoo-daemon" --runtime-dir "$D" --no-keeper \
		--set registers=hardware --set hal=loongson
	daemon_start --pool-size 8M --set registers=hardware
	is "registers: hardware, hal: auto: lines" \
		"$(regs in_use) $(regs backend) $(regs cores)" "lines none 0"
	like "with a warning that says why" "$(warnings)" "cache lines carry all"
	like "and the log says it too" "$(<"$D/daemon.log")" "warning .*cache lines carry all"
	is "the slots' blocks are shown instead" \
		"$(admin registers | jq -r 'keys[0]')" slots
	daemon_stop
	daemon_start --pool-size 8M
	is "registers: auto: lines" "$(regs configured) $(regs in_use)" "auto lines"
	is "without a warning of it" "$(warnings | grep -c registers)" 0
	like "and says why" "$(regs why)" '[a-z]'
	daemon_stop
fi
daemon_start --pool-size 8M --set hal=emul
is "emulated ones are taken only if asked for" "$(regs in_use)" lines
job idle 2 "$E2E/quiet" wait
asleep() {
	admin ranks | jq -e 'length == 2 and all(.[]; .sleeping)' >/dev/null
}
ok "two ranks sleep" eventually asleep
armed() {
	[[ $(admin registers | jq -c '[.slots[] | [.job, .rank, .armed]] | sort') == \
		'[["idle",0,"data, news"],["idle",1,"data, news"]]' ]]
}
ok "each has a block, armed for data and news" eventually armed
e2e_kill TERM "${pid_of[idle.0]}"
e2e_kill TERM "${pid_of[idle.1]}"
finish idle
daemon_stop

# ---- a configuration that changes ----

conf() {
	printf '{"hal": "emul", "registers": "%s"}\n' "$1" >"$D/snoo.json"
}
ready_lines() {
	grep -c " ready version" "$D/daemon.log"
}
came_back() {
	(($(ready_lines) > $1))
}
restart() {
	local n
	n=$(ready_lines)
	e2e_kill KILL "$(daemon_worker)"
	eventually came_back "$n"
}
grows() {
	(($(of pair sent_mailbox) > $1))
}

# Both streams move, and nothing goes by registers.
in_lines() {
	local n a b
	n=$(of pair sent_mailbox)
	a=$(counted "$D/pair" 0)
	b=$(counted "$D/pair" 1)
	eventually eval '(($(counted "$D/pair" 0) > a + 50 &&
		$(counted "$D/pair" 1) > b + 50))'
	[[ $(of pair sent_mailbox) == "$n" ]]
}

conf lines
daemon_start --config "$D/snoo.json" --pool-size 16M
bystander_start
job pair 2 "$E2E/stream" -u 100 -l 3000 -p "$D/pair"
ok "a pair talks in lines" eventually eval '(($(counted "$D/pair" 0) > 50))'
is "by no register" "$(of pair sent_mailbox)" 0

for round in 1 2 3; do
	conf hardware
	ok "round $round: the next daemon has registers" restart
	is "and says so" "$(regs in_use)" hardware
	n=$(of pair sent_mailbox)
	ok "ranks that are there use them from then on" eventually grows \
		$((n + 100))
	# Also one that joins only now.
	job young 2 "$E2E/stream" -n 200 -l 100
	all_well "a new job" young 2

	conf lines
	ok "round $round: the next daemon has none" restart
	is "and says so" "$(regs in_use)" lines
	bystander_moves "round $round"
	a=$(counted "$D/pair" 0)
	ok "the pair goes on" eventually eval '(($(counted "$D/pair" 0) > a + 100))'
	# A rank that has no need to wait may not look at its socket for long.
	ok "in lines, when both have heard of it" eventually in_lines
	is "what they sent before was copied" "$(regs messages)" 0
done
# Handed over, not killed.
conf hardware
n=$(ready_lines)
kill -USR1 "$(daemon_worker)"
ok "a daemon hands over to one with registers" eventually came_back "$n"
n=$(of pair sent_mailbox)
ok "the ranks use them" eventually grows $((n + 100))
e2e_kill TERM "${pid_of[pair.0]}"
e2e_kill TERM "${pid_of[pair.1]}"
all_well "the pair has verified everything" pair 2
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
