#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# daemon.sh - start or stop the daemon on the machine
# shellcheck shell=dash
#
# usage: daemon start [OPTION...] | stop
#
# start waits until it is ready; stop has its exit status.
run=/run/snoo
case $1 in
start)
	shift
	rm -f $run/ready $run/status
	mkfifo $run/ready
	chmod 755 $run
	(
		setsid /snoo/bin/snoo-daemon --runtime-dir $run \
			--pool-size 32M --ready-fd 9 \
			--set domains.default.pool.huge_pages=never \
			--set domains.default.socket.group=snoo "$@" 9<>$run/ready &
		echo $! >$run/pid
		wait $!
		echo $? >$run/status
		# Who waits for READY shall wait no longer.
		echo ENDED >>$run/ready
	) </dev/null >$run/daemon.log 2>&1 &
	read -r word <$run/ready
	[ "$word" = READY ] || { cat $run/daemon.log; exit 1; }
	;;
stop)
	kill "$(cat $run/pid)"
	until [ -s $run/status ]; do sleep 0.05; done
	exit "$(cat $run/status)"
	;;
esac
