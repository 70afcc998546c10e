#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-wire.sh - clients that do not speak the protocol, or do not speak
. tests/lib/e2e.sh

daemon_start --pool-size 16M --set limits.handshake_ms=200 \
	--set domains.default.socket.mode=0666
bystander_start

SNOO_SOCKET=$SOCKET "$E2E/forger" >"$D/forger" 2>&1
forged=$?
while read -r verdict name; do
	case $verdict in
	ok) pass "forged: $name" ;;
	FAIL) fail "forged: $name" ;;
	*) fail "forger" "$verdict $name" ;;
	esac
done <"$D/forger"
is "the forger's status" "$forged" 0
bystander_moves "after forged messages"

all_there() {
	grep -q "all are there" "$D/$1.0.out"
}

# hogs KIND N [PREFIX...]: they are there, and a job forms and works.
hogs() {
	local kind=$1 n=$2
	shift 2
	rank "hog-$kind" 0 1 "$@" "$E2E/hog" "$kind" "$n"
	ok "$n connections: $kind" eventually all_there "hog-$kind"
	job "late-$kind" 2 "$E2E/stream" -n 200
	all_well "a job joins among them: $kind" "late-$kind" 2
	bystander_moves "among them: $kind"
	e2e_kill TERM "${pid_of[hog-$kind.0]}"
	ends "the hog ends: $kind" "hog-$kind" 0 0 "ended [0-9]+"
}

hogs silent 500
hogs half 200
hogs garbage 200
hogs churn 100
# One WELCOME of a user at a time may be unread: another user is not held up.
if [[ $(id -u) == 0 ]] && setpriv --reuid=65534 --clear-groups true; then
	hogs deaf 200 setpriv --reuid=65534 --regid=65534 --clear-groups
else
	skip "200 connections: deaf" "needs root"
fi

# Sessions that said nothing are cut off after the deadline.
rank hog-quiet 0 1 "$E2E/hog" silent 10
hung_up() {
	grep -q "no HELLO came within 200 ms" "$D/daemon.log"
}
ok "a silent client is cut off, and the log says so" eventually hung_up
e2e_kill TERM "${pid_of[hog-quiet.0]}"
ends "it noticed" hog-quiet 0 0 "ended"

bystander_end
books_balance "every byte of the pool is free again"
# The log, the listeners, the keeper: as many fds as before anybody came.
few_fds() {
	(($(find "/proc/$(daemon_worker)/fd" -mindepth 1 | wc -l) < 60))
}
ok "no fd stays open in the daemon" eventually few_fds
done_testing
