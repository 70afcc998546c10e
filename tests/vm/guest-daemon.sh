#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# guest-daemon.sh - start or stop the guest daemon, in the guest
# shellcheck shell=dash
#
# usage: guest-daemon start [OPTION...] | stop | worker
#
# start does not wait until it is ready: that takes a host daemon.
run=/run/snoo
case $1 in
start)
	shift
	set -- --runtime-dir $run --set role=guest \
		--set domains.default.socket.group=snoo "$@"
	for o in $(echo "$GUEST_OPTIONS" | tr , ' '); do
		set -- "$@" --set "$o"
	done
	chmod 755 $run
	setsid /snoo/bin/snoo-daemon "$@" </dev/null >>$run/daemon.log 2>&1 &
	echo $! >$run/first.pid
	;;
stop)
	kill "$(cat $run/first.pid)"
	while [ -e "/proc/$(cat $run/first.pid)" ]; do sleep 0.05; done
	;;
worker)
	cat $run/*.lock
	;;
esac
