#!/bin/bash
# SPDX-License-Identifier: MIT
# devices.sh - the two devices of a VM, as its daemon holds them
#
# No SNOO daemon on either side: guest_dev in the guest calls what the guest
# daemon calls, and guest_dev_host answers.  Each boot finds the same host.
# timeout: 300
. tests/vm/lib.sh

POOL_MIB=64
setpriv --pdeathsig KILL "$VM_BIN/guest_dev_host" "$D" $POOL_MIB >"$D/host.log" 2>&1 &
host=$!
ok "a host is there" eventually grep -q ready "$D/host.log"

# devices WHAT PART [KEY=VALUE...]: guest_dev in the guest "vm", all of it
devices() {
	local what=$1 out
	shift
	if out=$(vm_cmd vm 0 /snoo/vm/guest_dev "$@" 2>&1) &&
		[[ $out == *1..* && $out != *"not ok"* ]]; then
		pass "$what"
	else
		fail "$what" "$out"
	fi
}

guest() {
	vm_start vm vectors=3 daemon=0 "$@"
	ok "a guest with $*" vm_up vm
}

# The nvdimm as it is made: a raw one, of which no /dev/dax becomes.
guest dax=1
devices "an nvdimm without an info block is no pool: BAR2" devices memory=bar
devices "all of it outlives a killed daemon" keeper memory=bar
# What `ndctl create-namespace -m devdax` does.
ok "the guest makes it a /dev/dax" vm_cmd vm 0 /bin/sh -c '
	cd /sys/bus/nd/devices/region0 && s=$(cat dax_seed) &&
	echo namespace0.0 >/sys/bus/nd/drivers/nd_pmem/unbind &&
	echo 2097152 >"$s/align" &&
	echo 11111111-2222-3333-4444-555555555555 >"$s/uuid" &&
	echo ram >"$s/mode" && echo namespace0.0 >"$s/namespace" &&
	echo "$s" >/sys/bus/nd/drivers/dax_pmem/bind && ls /dev/dax*'
devices "the same memory is /dev/dax now, 2 MiB further on" devices memory=dax
vm_stop vm

guest dax=1
devices "the next boot finds /dev/dax" devices memory=dax
devices "/dev/dax outlives a killed daemon" keeper memory=dax
vm_stop vm

guest dax=1 iommu=0
devices "without a vIOMMU, by sysfs, and the memory is /dev/dax" devices way=sysfs memory=dax
vm_stop vm

guest dax=0 iommu=0
devices "without either, by sysfs alone" devices way=sysfs memory=sysfs
vm_stop vm

vm_start vm vectors=32 daemon=0 dax=0
ok "a guest with many vectors" vm_up vm
devices "a device takes a limited number of bells, and says so" limit memory=bar
vm_stop vm
kill "$host"
done_testing
