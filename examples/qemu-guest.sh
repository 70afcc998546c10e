#!/bin/sh
# SPDX-License-Identifier: MIT
# qemu-guest.sh - start QEMU with SNOO's devices; the rest is your command line
#
#   examples/qemu-guest.sh -m 2G -smp 2 -drive file=vm-a.qcow2,if=virtio
#
# Adds to what you give: machine q35 with a vIOMMU, both ivshmem devices, and
# the pool as an nvdimm.  -M and -accel are this script's; -m is read here,
# because the nvdimm needs a slot and room above it (maxmem).
#
# SNOO_DIR      where the daemon's sockets are (/run/snoo)
# SNOO_DOMAIN   the domain (default)
# SNOO_VECTORS  ivshmem.vectors of snoo.json (8)
# SNOO_BYTES    pool.size_bytes; asked from the pool itself
# SNOO_NVDIMM   0: without the nvdimm; ranks then map the PCI device
# QEMU, ACCEL   the program (qemu-system-x86_64), and kvm or tcg
# DRY=1         print the command line, one argument a line, and end
set -eu

dir=${SNOO_DIR:-/run/snoo}
domain=${SNOO_DOMAIN:-default}
vectors=${SNOO_VECTORS:-8}
qemu=${QEMU:-qemu-system-x86_64}
pool=$dir/$domain.pool
if [ -w /dev/kvm ]; then accel=${ACCEL:-kvm}; else accel=${ACCEL:-tcg}; fi

die() {
	echo "qemu-guest.sh: $*" >&2
	exit 1
}

memory=1G
nargs=$#
while [ "$nargs" -gt 0 ]; do
	arg=$1
	shift
	nargs=$((nargs - 1))
	case $arg in
	-m)
		memory=$1
		shift
		nargs=$((nargs - 1))
		;;
	-M | -machine | -accel) die "$arg is this script's" ;;
	*) set -- "$@" "$arg" ;;
	esac
done

for s in ivshmem control; do
	[ -S "$dir/$domain.$s.sock" ] ||
		[ -n "${DRY:-}" ] ||
		die "no socket $dir/$domain.$s.sock: is ivshmem.slots above 1?"
done

# With KVM the vIOMMU's interrupt remapping needs the I/O APIC in QEMU.
case $accel in
kvm) set -- -accel kvm,kernel-irqchip=split -cpu host "$@" ;;
*) set -- -accel "$accel" "$@" ;;
esac

set -- \
	-device intel-iommu,intremap=on \
	-chardev "socket,id=snoo-pool,path=$dir/$domain.ivshmem.sock" \
	-device "ivshmem-doorbell,id=snoo-pool-dev,chardev=snoo-pool,vectors=$vectors" \
	-chardev "socket,id=snoo-control,path=$dir/$domain.control.sock" \
	-device "ivshmem-doorbell,id=snoo-control-dev,chardev=snoo-control,vectors=1" \
	"$@"

if [ "${SNOO_NVDIMM:-1}" != 0 ]; then
	bytes=${SNOO_BYTES:-$(stat -L -c %s "$pool" 2>/dev/null)} ||
		die "cannot open $pool: pool.holder_user must be this user (see virtual-machines.md)"
	set -- \
		-M q35,nvdimm=on -m "$memory,slots=2,maxmem=$(((bytes >> 30) + 256))G" \
		-object "memory-backend-file,id=snoo-nv,share=on,mem-path=$pool,size=$bytes,align=2M" \
		-device nvdimm,id=snoo-nvdimm,memdev=snoo-nv \
		"$@"
else
	set -- -M q35 -m "$memory" "$@"
fi

if [ -n "${DRY:-}" ]; then
	printf '%s\n' "$qemu" "$@"
	exit 0
fi
exec "$qemu" "$@"
