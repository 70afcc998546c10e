#!/bin/bash
# SPDX-License-Identifier: MIT
# guest-scribble.sh - a control memory that somebody has scribbled over
#
# In the guest whoever is root can do that.  It costs this guest's ranks, and
# nobody else's; both daemons begin again.
# timeout: 180
. tests/lib/guest.sh

host_start
bystander_start
guest_start

# The file behind the control device, as the guest's daemon has it open.
control_file() {
	local f
	for f in /proc/"$(guest_worker)"/fd/*; do
		[[ $(readlink "$f") == /memfd:* ]] &&
			[[ $(stat -L -c %s "$f") == 1048576 ]] &&
			printf '%s\n' "$f" && return
	done
	return 1
}

# scribble WHAT OFFSET BYTES SOURCE
scribble() {
	local f
	f=$(control_file) || return 1
	dd if="$4" of="$f" bs=1 seek="$2" count="$3" conv=notrunc status=none
}

all_ended() {
	e2e_ended "${pid_of[across.0]}" && e2e_ended "${pid_of[across.1]}"
}

tr '\0' '\377' </dev/zero 2>/dev/null | head -c 4096 >"$D/ones"

round() {
	local name=$1
	across_start
	shift
	ok "$name: written" scribble "$name" "$@"
	# Somebody says something, which the other end reads.
	SOCKET=$GUEST_SOCKET rank knock 0 1 "$E2E/stream" -n 1
	ok "$name: its ranks and their partners end" eventually all_ended
	finish across
	finish knock
	ok "$name: both begin again" eventually guest_is .host live
	mixed again 4 "$E2E/stream" -n 50
	all_well "$name: and the next job runs" again 4
	bystander_moves "$name"
}

round "the guest's end, ones" $((0x100)) 128 "$D/ones"
round "the guest's end, noise" $((0x100)) 128 /dev/urandom
round "the host's end, noise" $((0x80)) 128 /dev/urandom
round "both ends and the head" 0 384 "$D/ones"

like "the host has named it" "$(cat "$D/daemon.log")" "VM cut off .*vm-1"
bystander_end
books_balance "every byte of the pool is free again"
is "neither daemon was started again" "$(guest_ready) $(host_ready)" "1 1"
done_testing
