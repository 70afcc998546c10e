#!/bin/bash
# SPDX-License-Identifier: MIT
# guest-restart.sh - the guest's daemon dies or hands over, and the host's too
#
# Under streams across the kernels, while ranks come and go.  Nobody notices.
# timeout: 240
. tests/lib/guest.sh

host_start
bystander_start
guest_start
across_start
mixed busy 2 "$E2E/stream" -p "$D/busy" -w 2 -l 65536
eventually eval '(($(counted "$D/busy" 0) > 100))'

came_back() {
	eventually beyond "$2" "$1"
}

bad=
kills=${KILLS:-12}
for ((i = 0; i < kills; i++)); do
	g=$(guest_ready)
	h=$(host_ready)
	case $((i % 3)) in
	1) mixed young 4 "$E2E/stream" -n 200 -l 4096 ;;
	2) mixed young 4 "$E2E/stream" -n 200 -l 4096
	   sleep 0.0$((RANDOM % 10)) ;;
	esac
	case $((i % 4)) in
	0 | 1)	e2e_kill KILL "$(guest_worker)"
		came_back guest_ready "$g" || bad+="no guest after $i"$'\n' ;;
	2)	e2e_kill USR1 "$(guest_worker)"
		came_back guest_ready "$g" || bad+="no guest after $i"$'\n' ;;
	3)	e2e_kill KILL "$(guest_worker)"
		e2e_kill KILL "$(daemon_worker)"
		came_back guest_ready "$g" || bad+="no guest after $i"$'\n'
		came_back host_ready "$h" || bad+="no host after $i"$'\n' ;;
	esac
	eventually guest_is .host live || bad+="not live after $i"$'\n'
	((i % 3)) || continue
	finish young
	for r in 0 1 2 3; do
		[[ $(status young $r) == 0 ]] || bad+="kill $i: young rank $r: $(status young $r) $(text young $r)"$'\n'
	done
done
if [[ -z $bad ]]; then
	pass "$kills times a daemon dies or hands over, ranks come and go"
else
	fail "$kills times a daemon dies or hands over, ranks come and go" \
		"$bad$(tail -n 15 "$D/guest.log")"
fi
across_moves "after all that"
is "the guest's daemon knows its ranks still" \
	"$(guest_admin ranks | jq -r '[.[] | .job + " \(.rank) \(.session)"] |
		sort | join(", ")')" "across 1 attached, busy 1 attached"

# No daemon in the guest for a while: its keeper stands still.
kill -STOP "$guest_pid"
worker=$(guest_worker)
e2e_kill KILL "$worker"
eventually e2e_ended "$worker"
across_moves "while the guest has no daemon"
# A rank ends meanwhile, in the guest: the next daemon tells.
e2e_kill KILL "${pid_of[busy.1]}"
g=$(guest_ready)
kill -CONT "$guest_pid"
came_back guest_ready "$g"
finish busy
like "a rank that died while the guest had no daemon: its partner is told" \
	"$(status busy 0) $(text busy 0)" "^3 .*the peer died"
across_moves "when it is back"

# No daemon on the host.
# shellcheck disable=SC2154 # of e2e.sh
kill -STOP "$daemon_pid"
worker=$(daemon_worker)
e2e_kill KILL "$worker"
eventually e2e_ended "$worker"
across_moves "while the host has no daemon"
mixed patient 2 "$E2E/stream" -n 50
sleep 0.3
fails "ranks wait for it: on the host" e2e_ended "${pid_of[patient.0]}"
fails "ranks wait for it: in the guest" e2e_ended "${pid_of[patient.1]}"
kill -CONT "$daemon_pid"
all_well "and are served when it is back" patient 2

across_end
bystander_end
books_balance "every byte of the pool is free again"
done_testing
