#!/bin/bash
# SPDX-License-Identifier: MIT
# daemons.sh - host daemon and guest daemon killed under ranks, a paused guest
# timeout: 300
. tests/vm/lib.sh

PAUSE_S=${PAUSE_S:-20}

host_start --pool-size 32M
bystander_start
boot vm-a
boot vm-b
vm_live vm-a
vm_live vm-b
mixed job 1 vm-a vm-b -- -u 1000 -l 70000
flows "$D/job" 0 "a stream over host and guests"
slots=$(vm_field vm-a slot)$(vm_field vm-b slot)

# The host daemon, killed; then again with nobody there for a while.
ready_lines() { grep -c " ready version" "$D/daemon.log"; }
came_back() { (($(ready_lines) > $1)); }
for i in 1 2; do
	n=$(ready_lines)
	worker=$(daemon_worker)
	((i == 2)) && kill -STOP "$daemon_pid"
	e2e_kill KILL "$worker"
	if ((i == 2)); then
		eventually e2e_ended "$worker"
		flows "$D/job" 0 "the stream goes on while no daemon is there"
		bystander_moves "while no daemon is there"
		kill -CONT "$daemon_pid"
	fi
	ok "kill $i of the host daemon: the next one is there" eventually came_back "$n"
	for v in vm-a vm-b; do
		ok "kill $i: it knows $v" eventually vm_is $v live
	done
	is "kill $i: in the same slots" "$(vm_field vm-a slot)$(vm_field vm-b slot)" "$slots"
	flows "$D/job" 0 "kill $i: the stream goes on"
	together "kill $i: guests join a new job" "new$i" 1 vm-a vm-b
done

# The guest daemon, killed under its ranks: its keeper starts the next one.
vm_worker() { vm_cmd vm-a 0 guest-daemon worker; }
worker=$(vm_worker)
vm_cmd vm-a 0 kill -KILL "$worker"
back() {
	local now
	now=$(vm_worker) && [[ -n $now && $now != "$worker" ]]
}
ok "the guest daemon is killed, and the next one is there" eventually back
ok "the host takes it in" eventually vm_is vm-a live
is "in the same slot" "$(vm_field vm-a slot)$(vm_field vm-b slot)" "$slots"
flows "$D/job" 0 "the stream of its ranks goes on"
together "and new ranks join there" again 1 vm-a:1002 vm-b
wakes host vm-a
wakes vm-b vm-a
bystander_moves "after kills of both daemons"

# Paused, as for a snapshot: waited for, not called dead.
vm_pause vm-b
sleep "$PAUSE_S"
ok "a paused guest is not called dead" vm_is vm-b live
ok "nor its rank" test -d "/proc/${pid_of[job.0]}"
is "all three ranks are there" \
	"$(admin ranks job | jq '[.. | objects | select(has("counters"))] | length')" 3
bystander_moves "beside a guest that was paused for $PAUSE_S s"
vm_resume vm-b
flows "$D/job" 0 "it goes on where it was"
end_of job 3 "one stream through all of it: every message verified"

# A rank that dies in a guest.
mixed dead 1 vm-a vm-b -- -k 1 -l 70000
flows "$D/dead" 0 "a stream to a rank that will die"
e2e_kill KILL "${pid_of[dead.1]}"
told_dead "its partners are told, on the host and in a guest" dead 1 3
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
