#!/bin/bash
# SPDX-License-Identifier: MIT
# kill-daemon.sh - kill -9 of the daemon, again and again, under a stream
#
# Ranks attach, leave and die meanwhile.  Nothing is lost, doubled or
# reordered; data flows while no daemon is there.
# timeout: 300
. tests/lib/e2e.sh

kills=${KILLS:-20}

daemon_start --pool-size 16M
bystander_start
# A second stream at full speed, on all paths, through the whole time.
job busy 2 "$E2E/stream" -p "$D/busy" -w 2
eventually eval '(($(counted "$D/busy" 0) > 100))'

# Until the next daemon says READY.
ready_lines() {
	grep -c " ready version" "$D/daemon.log"
}
came_back() {
	(($(ready_lines) > $1))
}

bad=
for ((i = 0; i < kills; i++)); do
	n=$(ready_lines)
	worker=$(daemon_worker)
	# What goes on at the moment of the kill differs from round to round.
	case $((i % 5)) in
	1) job young 3 "$E2E/stream" -n 300 -l 4096 ;;
	2) job young 3 "$E2E/stream" -n 300 -l 4096
	   sleep 0.0$((RANDOM % 10)) ;;
	3) rm -f "$D/doomed"
	   # Once they talk: a rank that never came would be waited for.
	   job doomed 2 "$E2E/stream" -k 0 -l 70000 -p "$D/doomed"
	   eventually eval '(($(counted "$D/doomed" 1) > 0))'
	   sleep 0.0$((RANDOM % 10))
	   e2e_kill KILL "${pid_of[doomed.0]}" ;;
	4) job young 2 "$E2E/stream" -n 20 ;;
	esac
	e2e_kill KILL "$worker"
	if ! eventually came_back "$n"; then
		bad+="no daemon after kill $i"$'\n'
		break
	fi
	case $((i % 5)) in
	1 | 2 | 4)
		finish young
		for r in 0 1 2; do
			[[ $(status young $r) == [0?] ]] || bad+="kill $i: young rank $r: $(status young $r) $(text young $r)"$'\n'
		done
		unset 'status_of[young.2]'
		;;
	3)
		finish doomed
		[[ $(status doomed 1) == 0 ]] ||
			bad+="kill $i: partner of the dead: $(status doomed 1) $(text doomed 1)"$'\n'
		;;
	esac
done
if [[ -z $bad ]]; then
	pass "$kills daemons killed, ranks come, go and die meanwhile"
else
	fail "$kills daemons killed, ranks come, go and die meanwhile" "$bad"
fi
bystander_moves "after all that"

# No daemon at all for a while: its keeper is stopped, so that none comes.
kill -STOP "$daemon_pid"
worker=$(daemon_worker)
e2e_kill KILL "$worker"
eventually e2e_ended "$worker"
bystander_moves "while no daemon is there"
a=$(counted "$D/busy" 0)
ok "the busy stream too" eventually eval '(($(counted "$D/busy" 0) > a + 100))'
e2e_kill KILL "${pid_of[busy.1]}"
kill -CONT "$daemon_pid"
finish busy
like "a rank that died while no daemon was there: its partner is told" \
	"$(status busy 0) $(text busy 0)" "^3 .*the peer died"

# Ranks that leave while the daemon stands still, which is killed before it has
# read it: the next one reads their LEAVE and does not call them dead.
job leaving 2 "$E2E/stream" -u 200 -l 4096 -p "$D/leaving"
eventually eval '(($(counted "$D/leaving" 0) > 20))'
worker=$(daemon_worker)
kill -STOP "$worker"
e2e_kill TERM "${pid_of[leaving.0]}"
finish leaving
is "ranks leave without a daemon" "$(status leaving 0) $(status leaving 1)" "0 0"
e2e_kill KILL "$worker"
gone() {
	(($(grep -cE "rank (left|dead) .*job=leaving " "$D/daemon.log") == 2))
}
ok "the next daemon hears of them" eventually gone
is "and that they had left" \
	"$(grep -c "rank left .*job=leaving " "$D/daemon.log")" 2

bystander_end
books_balance "every byte of the pool is free again"
ok "the daemon is alive" admin version
daemon_stop
is "the daemon stops" "$daemon_status" 0
ok "no socket stays behind" test ! -e "$SOCKET"
done_testing
