#!/bin/bash
# SPDX-License-Identifier: MIT
# slots.sh - VMs that come, die, reboot, are unplugged, or can't be served
#
# Two VM slots.  What QEMU does wrong when a slot is used again, when others
# leave before it is unplugged, when it has too few fds, or when it is refused
# (daemon/ivshmem.h) must not happen.
# timeout: 300
VM_SLOTS=3
. tests/vm/lib.sh

host_start --pool-size 32M
bystander_start
boot vm-a
boot vm-b hotplug=1
vm_live vm-a
vm_live vm-b
slot_a=$(vm_field vm-a slot)
slot_b=$(vm_field vm-b slot)
together "one rank in each" before 1 vm-a vm-b

# Full: a third QEMU ends at once instead of spinning.
boot vm-full
qemu_refused vm-full "version 99, expecting 0"
ok "the daemon says that it is full" grep -qiE "no .*slot|full|slots .*in use" "$D/daemon.log"
bystander_moves "after a refusal"

# kill -9 of a QEMU under a job: its partners are told, within a second.
mixed dying 1 vm-a vm-b -- -k 1 -l 70000
flows "$D/dying" 0 "a stream over all three"
start=$(date +%s%N)
vm_kill vm-a
ok "its slot is free" eventually vm_is vm-a free
took=$((($(date +%s%N) - start) / 1000000))
if ((took < 2000)); then
	pass "the daemon has noticed it at once"
else
	fail "the daemon has noticed it at once" "$took ms"
fi
told_dead "its partners on the host and in a guest have had all, and are told" dying 1 3
bystander_moves "after kill -9 of a QEMU"

# A third takes the slot; the other guest's QEMU hears nothing of it.
boot vm-c
vm_live vm-c
is "the slot is used again" "$(vm_field vm-c slot)" "$slot_a"
together "the newcomer and the one that was there" reuse 1 vm-b vm-c

# A guest reboots: same QEMU, same slot, another boot.
mixed rebooting 1 vm-c -- -k 1 -l 4096
flows "$D/rebooting" 0 "a stream to the one that will reboot"
vm_reset vm-c
told_dead "a rank of the former boot is dead to its partner" rebooting 1 2
vm_live vm-c 2
is "it comes back into its slot" "$(vm_field vm-c slot)" "$slot_a"
together "and works" rebooted 1 vm-b vm-c

# Unplugged after another one left (QEMU would free twice), and plugged again.
vm_kill vm-c
ok "another one leaves" eventually vm_is vm-c free
vm_cmd vm-b 0 guest-daemon stop
vm_unplug vm-b
is "vm-b is unplugged" $? 0
ok "its slot is free" eventually vm_is vm-b free
fails "QEMU lives" vm_ended vm-b
ok "and its guest" vm_cmd vm-b 0 true
vm_plug vm-b >"$D/plug"
is "it is plugged again" "$? $(cat "$D/plug")" "0 "
devices_there() {
	[[ $(vm_cmd vm-b 0 sh -c 'grep -l 0x1110 /sys/bus/pci/devices/*/device | wc -l') == 2 ]]
}
ok "the guest sees both devices" eventually devices_there
vm_cmd vm-b 0 guest-daemon start
vm_live vm-b
together "and works again" replugged 1 vm-b
bystander_moves "after unplugging"

# Too few fds: QEMU would abort.
boot vm-few nofile=48
qemu_refused vm-few "version 99, expecting 0"
ok "the daemon says what to raise" grep -q "raise LimitNOFILE of QEMU" "$D/daemon.log"

# Another vectors= than the server's: the guest daemon refuses.
boot vm-vectors vectors=4
ok "a guest with other vectors= is up" vm_up vm-vectors
ok "its daemon says what is wrong" eventually guest_has vm-vectors "vectors"
fails "and it is not taken in" vm_is vm-vectors live
guest_rank none 0 1 vm-vectors 1001 /snoo/e2e/stream -n 1
finish none
like "a rank there is told" "$(status none 0) $(text none 0)" '^[13] '
bystander_moves "beside a guest with other vectors="
vm_kill vm-vectors
ok "its slot is free" eventually vm_is vm-vectors free
together "the others work" last 1 vm-b
is "vm-b is still in its slot" "$(vm_field vm-b slot)" "$slot_b"

# Put out by hand: the VM runs on, without SNOO.
mixed evicted 1 vm-b -- -k 1 -l 4096
flows "$D/evicted" 0 "a stream to the one that is put out"
ok "snooctl evict" admin evict vm-b
told_dead "its rank is dead to its partner" evicted 1 2
fails "QEMU lives" vm_ended vm-b
is "what its rank had waits until QEMU, which maps it, has ended" \
	"$(pool_use | cut -d ' ' -f 2)" 1
vm_kill vm-b
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
