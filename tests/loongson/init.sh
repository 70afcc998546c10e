#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# init.sh - the machine's first script: mounts, then the agent
# shellcheck shell=dash
#
# The serial line's interrupt goes to the wrong core (shim.S says why), and
# whoever writes a terminal there hangs: the kernel's log is the only output,
# because the kernel polls.  The agent talks to the host through the memory of
# a PCI device.
busybox mkdir -p /proc /sys /dev /tmp /run/snoo
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox mkdir -p /dev/shm
busybox mount -t tmpfs -o mode=1777 tmp /tmp
busybox mount -t tmpfs -o mode=1777 shm /dev/shm
busybox --install -s /bin
export PATH=/snoo/bin:/bin HOME=/
exec </dev/null >/dev/kmsg 2>&1
hostname loongson
ip link set lo up

for d in /sys/bus/pci/devices/*; do
	[ "$(cat "$d/vendor") $(cat "$d/device")" = "0x1af4 0x1110" ] || continue
	echo 1 >"$d/enable"
	echo "init: up after $(cut -d' ' -f1 /proc/uptime) s, cores $(cat /sys/devices/system/cpu/online)"
	# shellcheck disable=SC2093 # the end, if it succeeds
	exec /snoo/loongson/ferry "$d/resource2" -- /snoo/vm/agent -
done
echo "init: no ivshmem device"
poweroff -f
