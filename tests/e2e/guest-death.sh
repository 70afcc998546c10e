#!/bin/bash
# SPDX-License-Identifier: MIT
# guest-death.sh - what dies in a guest costs its partners an error, at once
#
# timeout: 180
. tests/lib/guest.sh

host_start
bystander_start
guest_start
across_start

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# told NAME JOB RANK SINCE: a test; it ended within a second, with the death.
told() {
	local end
	while ! e2e_ended "${pid_of[$2.$3]}" && (($(now_ms) - $4 < 5000)); do
		sleep 0.01
	done
	end=$(($(now_ms) - $4))
	finish "$2"
	if [[ $(status "$2" "$3") == 0 ]] && ((end < 1000)); then
		pass "$1"
	else
		fail "$1" "status $(status "$2" "$3") after $end ms: $(text "$2" "$3")
$(tail -n 5 "$D/guest.log" "$D/daemon.log")"
	fi
}

# dying JOB VICTIM: a stream of two that is killed at any moment.
dying() {
	rm -f "$D/counts"
	mixed "$1" 2 "$E2E/stream" -p "$D/counts" -k "$2" -l 65536 "${@:3}"
	eventually eval '(($(counted "$D/counts" 0) > 50 && $(counted "$D/counts" 1) > 50))'
	sleep 0.00$((RANDOM % 10))
	since=$(now_ms)
	e2e_kill KILL "${pid_of[$1.$2]}"
}

for i in 1 2 3; do
	dying "inside$i" 1
	told "round $i: killed in the guest, its partner on the host is told" \
		"inside$i" 0 "$since"
	dying "outside$i" 0
	told "round $i: killed on the host, its partner in the guest is told" \
		"outside$i" 1 "$since"
done
# Sleepers too.
dying sleepy 1 -u 20000
told "a partner that sleeps is woken by the death" sleepy 0 "$since"
dying sleepy2 0 -u 20000
told "so is one in the guest" sleepy2 1 "$since"

bystander_moves "while ranks die"
across_moves "while others die"

# The VM: daemon, keeper and what stands for QEMU, all at once.
across_slots() {
	admin ranks | jq -r '[.[] | select(.job == "across")] | length'
}
worker=$(guest_worker)
since=$(now_ms)
e2e_kill KILL "$guest_pid"
e2e_kill KILL "$worker"
wait "$guest_pid" 2>/dev/null
guest_pid=
while ! e2e_ended "${pid_of[across.0]}" && (($(now_ms) - since < 5000)); do
	sleep 0.01
done
took=$(($(now_ms) - since))
finish across
like "a VM that ends is a death of its ranks" \
	"$(status across 0) $(text across 0)" "^3 .*the peer died"
ok "told within a second" test "$took" -lt 1000
bystander_moves "after the VM has ended"

# Slots are free again, however often that happens.
for i in 1 2 3 4; do
	guest_start
	guest_stop
	is "VM $i stops" "$guest_status" 0
done
guest_start
mixed next 4 "$E2E/stream" -n 100
all_well "and runs a job" next 4

# A daemon that stops says so to both sides.
across_start
guest_stop
finish across
like "a guest's daemon that stops: its ranks are told" \
	"$(status across 1) $(text across 1)" "^[1-9].*daemon"
like "and their partners" "$(status across 0) $(text across 0)" \
	"^3 .*the peer died"
bystander_end
books_balance "every byte of the pool is free again"
done_testing
