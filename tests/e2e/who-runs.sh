#!/bin/bash
# SPDX-License-Identifier: MIT
# who-runs.sh - BPF programs tell who runs where; without them all works as well
# timeout: 180
. tests/lib/e2e.sh

bpf() { admin status | jq -r '.domains[0].bpf'; }
# run RANK: what the kernel says of a rank of the job "pair".
run() { admin ranks | jq -r --argjson r "$1" '.[] | select(.job == "pair" and .rank == $r) | .run'; }
run_is() { [[ $(run "$1") == "$2" ]]; }
# of NAME: a counter of rank 1 of the job "late".
of() { admin ranks | jq -r --arg c "$1" '.[] | select(.job == "late" and .rank == 1) | .counters[$c]'; }
has_waited() { (($(of received) >= LATE)); }
late_ends() {
	for r in 0 1; do
		e2e_kill TERM "${pid_of[late.$r]}"
	done
	finish late
}
# A rank waits for another one that computes for a millisecond before each message:
# how often does it sleep, and how often does it spin on?
LATE=400
SLEEPS=0 LONGER=0
late() {
	job late 2 "$E2E/quiet" late $LATE
	sleep 0.5
	eventually has_waited || return
	SLEEPS=$(of sleeps) LONGER=$(of waits_longer)
	late_ends
}
# In most of the messages of half a second?
spins_on() {
	local longer received
	longer=$(of waits_longer) received=$(of received)
	sleep 0.5
	((($(of waits_longer) - longer) * 2 > $(of received) - received))
}
came_back() { (($(grep -c " ready version" "$D/daemon.log") > COME)); }
# next_daemon NAME: this one dies.
next_daemon() {
	COME=$(grep -c " ready version" "$D/daemon.log")
	e2e_kill KILL "$(daemon_worker)"
	ok "$1" eventually came_back
}
# A job that sends a message on each path, in order, and looks at every byte.
works() {
	job "$1" 3 "$E2E/stream" -n 300 -l 70000
	finish "$1"
	all_well "$2" "$1" 3
}

# ---- where they may run
daemon_start --pool-size 16M
how=$(bpf)
if [[ $how == on ]]; then
	if (($(nproc) > 1)); then
		# Others on its core are served first: again, while they are busy.
		for ((i = 0; i < 20; i++)); do
			late && ((LONGER > LATE / 2 && SLEEPS < LATE / 2)) && break
		done
		ok "a rank spins on for one that computes ($LONGER waits of $LATE)" \
			test "$LONGER" -gt $((LATE / 2))
		ok "instead of sleeping ($SLEEPS times for $LATE messages)" \
			test "$SLEEPS" -lt $((LATE / 2))
		job late 2 "$E2E/quiet" late 1000000
		next_daemon "the daemon dies over it, and the next one comes"
		ok "it is told anew and spins on" eventually spins_on
		late_ends
	fi
	job pair 2 "$E2E/quiet" wait
	ok "a rank that is blocked sleeps, the kernel says" eventually run_is 0 sleeps
	ok "and its partner" eventually run_is 1 sleeps
	is "it says how long a rank waited for its core" \
		"$(admin ranks | jq -c '[.[] | select(.job == "pair") |
			.run_waited_ns >= 0 and .run_waits >= 0 and .run_cpu >= 0] | all')" true
	works first "a job that is watched"

	# The programs outlive the daemon, and its ranks are still seen.
	next_daemon "the next daemon comes"
	is "it took the programs over" "$(bpf)" on
	ok "and sees the ranks" eventually run_is 0 sleeps
	e2e_kill CONT "${pid_of[pair.0]}"
	works second "a job after that"
	for r in 0 1; do
		e2e_kill TERM "${pid_of[pair.$r]}"
	done
	finish pair
	books_balance "every byte of the pool is free again"
else
	like "without BPF status says why" "$how" '^off, .'
	works first "a job that nobody watches"
fi
daemon_stop

# ---- where nobody wants them
daemon_start --pool-size 16M --set telemetry=off
is "switched off" "$(bpf)" "off, by the configuration"
works off "a job that nobody watches, as configured"
if (($(nproc) > 1)); then
	late
	ok "without, it sleeps ($SLEEPS times for $LATE messages)" test "$SLEEPS" -gt $((LATE / 2))
	is "and never spins on" "$LONGER" 0
fi
daemon_stop

# ---- where they may not
if ((EUID == 0)) && command -v setpriv >/dev/null; then
	less=(setpriv --bounding-set=-all --inh-caps=-all --no-new-privs)
	# shellcheck disable=SC2046
	daemon_launch "${less[@]}" "$BIN/snoo-daemon" --runtime-dir "$D" --pool-size 16M \
		--set domains.default.pool.huge_pages=never \
		$([[ ${SAN:-} == *address* ]] && echo --set seccomp=off)
	like "refused: status says why" "$(bpf)" '^off, (not allowed: .*CAP_BPF|this daemon was built without)'
	works less "a job of a daemon that may not"
	daemon_stop
	run_ends "\"on\" that can't be had ends the daemon" 1 'telemetry: (not allowed|this daemon was built)' \
		"${less[@]}" "$BIN/snoo-daemon" --runtime-dir "$D" --pool-size 16M --no-keeper \
		--set telemetry=on --set domains.default.pool.huge_pages=never
else
	skip "refused" "needs root and setpriv"
fi
done_testing
