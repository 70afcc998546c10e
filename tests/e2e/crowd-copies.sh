#!/bin/bash
# SPDX-License-Identifier: MIT
# crowd-copies.sh - ranks that share a core read large messages out of the
#		    sender's memory, and only those that may
# timeout: 180
. tests/lib/e2e.sh

core=$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')
here=(taskset -c "$core")

# copies JOB: messages of that job that went so, so far.
copies() {
	admin ranks | jq --arg j "$1" '[.[] | select(.job == $j) | .counters.sent_cma] | add // 0'
}
some() { (($(copies "$1") > 100)); }
# runs JOB: verified streams of all sizes between four ranks on one core.
runs() { job "$1" 4 "${here[@]}" "$E2E/stream" -u 20 -l 300000; }
ended() {
	local r
	for r in 0 1 2 3; do
		e2e_kill TERM "${pid_of[$1.$r]}"
	done
	finish "$1"
	all_well "$2" "$1" 4
}

daemon_start --pool-size 16M
bystander_start
runs shared
ok "they copy from each other's memory" eventually some shared
is "nobody finds fault with it" \
	"$(admin ranks | jq '[.[] | .counters.protocol_errors] | add')" 0
n=$(grep -c " ready version" "$D/daemon.log")
e2e_kill KILL "$(daemon_worker)"
came_back() { (($(grep -c " ready version" "$D/daemon.log") > n)); }
ok "the next daemon comes" eventually came_back
before=$(copies shared)
more() { (($(copies shared) > before + 100)); }
ok "they still do" eventually more
ended shared "every byte was right"
runs after
ok "a job after that does, too" eventually some after
ended after "and had every byte right"

# One of them dies while others read from it.
for i in 1 2 3; do
	rm -f "$D/counts"
	job dying 3 "${here[@]}" "$E2E/stream" -k 2 -l 300000 -s -n 300 -p "$D/counts"
	sleep 0.$((i * 2))
	e2e_kill KILL "${pid_of[dying.2]}"
	finish dying
	is "death $i: the others had all that it had sent" \
		"$(status dying 0) $(status dying 1)" "0 0"
done
bystander_moves "beside all of that"

# ---- who may not
if ((EUID == 0)) && command -v setpriv >/dev/null; then
	chmod 755 "$D"
	as() { echo setpriv --reuid="$1" --regid="$1" --clear-groups; }
	chmod 666 "$SOCKET"
	# shellcheck disable=SC2046
	{
		rank two 0 2 $(as 4001) "${here[@]}" "$E2E/stream" -u 20 -l 300000
		rank two 1 2 $(as 4002) "${here[@]}" "$E2E/stream" -u 20 -l 300000
	}
	streams() { (($(admin ranks | jq '[.[] | select(.job == "two") | .counters.sent_streamed] | add // 0') > 50)); }
	ok "two users talk" eventually streams
	is "and do not read each other's memory" "$(copies two)" 0
	e2e_kill TERM "${pid_of[two.0]}"
	e2e_kill TERM "${pid_of[two.1]}"
	finish two
	all_well "every byte was right between them" two 2
else
	skip "two users" "only root can run processes as somebody else"
fi
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop

daemon_start --pool-size 16M --set domains.default.single_copy=false
runs without
blocks() { (($(admin ranks | jq '[.[] | .counters.sent_streamed] | add') > 100)); }
ok "forbidden, they stream" eventually blocks
is "and copy nothing" "$(copies without)" 0
ended without "every byte was right then, too"
daemon_stop
done_testing
