#!/bin/bash
# SPDX-License-Identifier: MIT
# programs.sh - ranks started in guests from the host; vCPUs on cores
#
# What is refused, and why, is tests/e2e/vm-programs.sh, with a guest daemon on
# this host; here are real guests.
# timeout: 180
. tests/vm/lib.sh

# The command has one path everywhere: the host's.
program=$E2E/stream

host_start --pool-size 64M --set domains.default.ivshmem.pin_vcpus=true
bystander_start
boot vm-a daemon=0
boot vm-b
vm_up vm-a
vm_cmd vm-a 0 mkdir -p "$E2E"
vm_cmd vm-a 0 cp /snoo/e2e/stream "$program"
vm_cmd vm-a 0 guest-daemon start \
	--set "guest.run.programs=[\"$program\",\"/bin/busybox\"]" \
	--set guest.run.user=user1
vm_live vm-a
vm_live vm-b

on=("$BIN/snoorun" --socket "$SOCKET" --on)

run_ends "one command on the host and twice in a guest" 0 '' \
	"${on[@]}" host:1,vm-a:2 "$program" -n 300 -l 65536
run_ends "in the guest alone" 0 '' "${on[@]}" vm-a:2 "$program" -n 300
run_ends "its exit code is snoorun's" 1 '' "${on[@]}" vm-a:1 /bin/busybox false
run_ends "its output comes here" 0 'uid=1001' "${on[@]}" vm-a:1 /bin/busybox id
run_ends "a program that it does not list" 126 'guest\.run\.programs|not allow' \
	"${on[@]}" vm-a:1 /snoo/e2e/stream
run_ends "a guest that starts nothing" 125 'guest\.run\.programs' \
	"${on[@]}" vm-b:1 "$program"
run_ends "a VM that is not there" 125 'vm-x' "${on[@]}" vm-x:1 "$program"

# A vCPU stays where the daemon put it, and the daemon says where that is.
cores_of() {
	admin vms | jq -r --arg n "$1" \
		'[.. | objects | select(.name? == $n and has("state"))][0].cores[0]'
}
# thread_cpus NAME: what QEMU's thread of vCPU 0 may run on.
thread_cpus() {
	local t
	for t in "/proc/${vm_pid[$1]}/task"/*; do
		[[ $(<"$t/comm") == "CPU 0/"* ]] || continue
		awk '/^Cpus_allowed_list/ { print $2 }' "$t/status"
	done
}
for v in vm-a vm-b; do
	like "vCPU 0 of $v has a core" "$(cores_of $v)" '^[0-9]+$'
	is "its thread is pinned to it" "$(thread_cpus $v)" "$(cores_of $v)"
done

bystander_end
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
