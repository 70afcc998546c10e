#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# init.sh - a guest's first script: mounts, modules, guest daemon, agent
# shellcheck shell=dash
#
# From the kernel's command line, as environment:
#   GUEST_NAME=NAME	its node name
#   GUEST_DAX=0		leave /dev/dax alone, as a guest without its modules
#   GUEST_DAEMON=0	start no guest daemon
#   GUEST_OPTIONS=A,B	options of the guest daemon, for --set
#   GUEST_ADDRESS=IP	of eth0; GUEST_MTU its largest packet
busybox mkdir -p /proc /sys /dev /tmp /run/snoo
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox mkdir -p /dev/shm
busybox mount -t tmpfs -o mode=1777 tmp /tmp
busybox mount -t tmpfs -o mode=1777 shm /dev/shm
busybox --install -s /bin
export PATH=/snoo/bin:/bin HOME=/
exec </dev/null >/dev/console 2>&1
hostname "${GUEST_NAME:-guest}"
ip link set lo up 2>/dev/null

while read -r m; do
	case $m in
	*nvdimm* | *nd_* | *nfit* | *dax*) [ "$GUEST_DAX" = 0 ] && continue ;;
	esac
	insmod "/modules/$m.ko" || echo "init: $m does not load"
done </modules/order

if [ -n "$GUEST_ADDRESS" ]; then
	ip link set eth0 mtu "${GUEST_MTU:-1500}"
	ip addr add "$GUEST_ADDRESS/24" dev eth0
	ip link set eth0 up
fi
[ "$GUEST_DAEMON" = 0 ] || guest-daemon start

# Ports have names, but no udev that would make links of them.
for p in /sys/class/virtio-ports/*; do
	[ "$(cat "$p/name")" = agent ] && port=/dev/${p##*/}
done
echo "init: up after $(cut -d' ' -f1 /proc/uptime) s"
exec /snoo/vm/agent "$port"
