#!/bin/bash
# SPDX-License-Identifier: MIT
# together.sh - one job in two guests and on the host; what guests map; polling
#
# vm-a has /dev/dax at its first boot, vm-b has no driver for it and maps the
# device's memory, vm-c has no vIOMMU and polls.
# timeout: 240
. tests/vm/lib.sh

host_start --pool-size 64M
bystander_start
boot vm-a
boot vm-b dax=late
vm_live vm-a
vm_live vm-b
bystander_moves "while guests boot"

# What they are, as the host sees it and as they see it.
is "vm-a has /dev/dax at its first boot" "$(guest_field vm-a memory)" dax
is "and the host knows" "$(vm_field vm-a memory)" dax
is "vm-b maps BAR2" "$(guest_field vm-b memory)" bar
like "and status says that its processes trust each other" \
	"$(guest_ctl vm-b status | jq -r '.warnings[]')" "trust each other"
is "its slot is what the host says" "$(guest_field vm-a slot)" "$(vm_field vm-a slot)"
for v in vm-a vm-b; do
	is "$v: interrupts arrive" "$(guest_field $v bells)" eventfd
done

together "two host ranks and one in each guest" mix 2 vm-a vm-b
bystander_moves "among ranks in guests"
together "two guests, without a rank on the host" pair 0 vm-a vm-b
together "three unprivileged processes of one guest" three 0 vm-a:1001 vm-a:1002 vm-a:1003
together "two processes that share BAR2" bars 1 vm-b:1001 vm-b:1002
together "one user of both guests and the host" users 1 vm-a:1003 vm-b:1001

# A rank that waits sleeps, and is woken by its bell: no time-out ends it.
wakes host vm-a
wakes vm-a host
wakes vm-a vm-b
wakes vm-b vm-a
wakes vm-a:1001 vm-a:1002

mixed where 1 vm-a:1001 vm-b:1001 -- -u 1000 -l 4096
flows "$D/where" 0 "a stream over host and guests"
is "the host sees which VM a rank is in" "$(admin ranks where |
	jq -c '[.. | objects | select(has("counters")) | .vm_name // ""] | sort')" \
	'["","vm-a","vm-b"]'
no_bell_missed "of all of them"
end_of where 3 "every message verified"

# Who is not in the group may not open the socket.
guest_rank alien 0 1 vm-a 2001 /snoo/e2e/stream -n 1
ends "a user of the guest without permission is refused" alien 0 3 "no permission"

# No vIOMMU: no interrupts, so its ranks look by themselves.
boot vm-c iommu=0
vm_live vm-c
is "without a vIOMMU ranks poll" "$(guest_field vm-c bells)" poll
like "and status says why" "$(guest_ctl vm-c status | jq -r '.warnings[]')" "poll"
is "the host knows" "$(vm_field vm-c bells)" poll
together "a guest that polls, one that sleeps, and the host" polls 1 vm-c vm-a
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
