#!/bin/bash
# SPDX-License-Identifier: MIT
# guest-job.sh - jobs across a host and a guest, and what both say of them
#
# timeout: 180
. tests/lib/guest.sh

host_start
bystander_start
guest_start --set domains.default.socket.mode=0666

is "the guest's daemon says where it is" \
	"$(guest_admin status | jq -r '[.role, .domain, .vm, .slot, .vectors, .memory, .bells] | join(" ")')" \
	"guest default vm-1 1 4 memfd eventfd"
is "nothing is to be warned of" \
	"$(guest_admin status | jq -c .warnings)" "[]"

mixed four 4 "$E2E/stream" -n 500 -l 65536
all_well "four ranks, two on each side" four 4
mixed rest 4 "$E2E/stream" -n 300 -l 4096 -u 200
all_well "four ranks that sleep between messages, no bell missed" rest 4
for r in 0 1 2; do
	SOCKET=$GUEST_SOCKET rank inside "$r" 3 "$E2E/stream" -n 300 -l 65536
done
all_well "a job inside the guest alone" inside 3
mixed lend 2 "$E2E/loans" -n 500
all_well "two ranks lend each other messages, one on each side" lend 2
like "and copy none" "$(text lend 0)$(text lend 1)" "^500 lent, 0 copied500 lent, 0"

# Both sides name the same ranks.
across_start
is "the guest shows its rank, with its vCPU" \
	"$(guest_admin ranks | jq -r '.[] | select(.job == "across") |
		"\(.rank) \(.vcpu >= 0) \(.session)"')" "1 true attached"
slot=$(guest_admin ranks | jq -r '.[] | select(.job == "across") | .slot')
is "the host has it in the same slot" \
	"$(admin ranks | jq -r '.[] | select(.job == "across" and .rank == 1) | .slot')" \
	"$slot"

# Processes without any privilege, of three users.
if [[ $(id -u) == 0 ]]; then
	for r in 0 1 2; do
		SOCKET=$GUEST_SOCKET rank users "$r" 4 setpriv \
			--reuid=$((20001 + r)) --regid=$((20001 + r)) \
			--clear-groups --bounding-set=-all --inh-caps=-all \
			--no-new-privs "$E2E/stream" -n 2000 -l 65536 -u 100
	done
	rank users 3 4 "$E2E/stream" -n 2000 -l 65536 -u 100
	uids() {
		[[ $(guest_admin ranks | jq -c '[.[] | select(.job == "users") |
			.uid] | sort') == "[20001,20002,20003]" ]]
	}
	ok "three users are there" eventually uids
	all_well "three unprivileged processes in the guest, one on the host" \
		users 4
else
	skip "three unprivileged processes in the guest" "needs root"
fi

# One after the other, as they come: numbers are the host's to give.
for i in 1 2 3; do
	for r in 0 1; do
		SNOO_SOCKET=$([[ $r == 0 ]] && echo "$SOCKET" || echo "$GUEST_SOCKET") \
			SNOO_JOB="n$i" SNOO_SIZE=2 "$E2E/stream" -n 20 \
			>"$D/n$i.$r.out" 2>&1 &
		pid_of[n$i.$r]=$!
		started+=("$!")
	done
	all_well "unnumbered ranks of both sides, job $i" "n$i" 2
done

# Nobody says anything: the daemon sleeps, and nothing wakes it.
switches() {
	cat /proc/"$(guest_worker)"/task/*/status |
		awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'
}
sleep 0.5
before=$(switches)
sleep 1.5
is "an idle daemon is not woken, with a rank attached" "$(switches)" "$before"

run_ends "a second daemon for this guest is refused" 3 "served already" \
	"$BIN/snoo-daemon" --runtime-dir "$V" --set role=guest \
	--set "guest.data_device=$D/default.ivshmem.sock" \
	--set "guest.control_device=$D/default.control.sock"
run_ends "the host's verbs are the host's" 1 "no verb \"pool\" in a VM" \
	"$BIN/snooctl" --socket "$V/admin.sock" pool

across_end
bystander_end
books_balance "every byte of the pool is free again"
guest_stop
is "the guest's daemon stops" "$guest_status" 0
ok "no socket stays behind" test ! -e "$GUEST_SOCKET"
done_testing
