#!/bin/bash
# SPDX-License-Identifier: MIT
# hostile.sh - guests that scribble, and domains that cannot see each other
#
# Root in a guest takes the devices from its daemon and writes what it likes.
# timeout: 240
. tests/vm/lib.sh

cat >"$D/conf" <<'END'
{
	"domains": {
		"default": {"pool": {"size_bytes": "32M", "huge_pages": "never"},
			"ivshmem": {"slots": 4}},
		"other": {"pool": {"size_bytes": "16M", "huge_pages": "never"},
			"ivshmem": {"slots": 4}}
	}
}
END
host_start --config "$D/conf"
bystander_start
boot vm-a
boot vm-b domain=other
vm_live vm-a
vm_live vm-b

# Two jobs of one name, one in each domain, at the same time.
in_other() {
	local SOCKET=$D/other.sock
	"$@"
}
rank twin 0 2 "$E2E/stream" -n 200 -l 70000 -p "$D/twin"
guest_rank twin 1 2 vm-a 1001 /snoo/e2e/stream -n 200 -l 70000
mv "$D/twin.0.out" "$D/first.0.out" && mv "$D/twin.1.out" "$D/first.1.out"
pid_of[first.0]=${pid_of[twin.0]} pid_of[first.1]=${pid_of[twin.1]}
in_other rank twin 0 2 "$E2E/stream" -n 200 -l 70000
guest_rank twin 1 2 vm-b 1001 /snoo/e2e/stream -n 200 -l 70000
all_well "a job in one domain" first 2
all_well "and one of the same name in the other" twin 2
is "a slot's number means something in its domain alone" \
	"$(vm_field vm-a slot)$(vm_field vm-b slot)" 11

# What one domain's guest writes and rings stays there: all of its pool, under
# a job, and every doorbell.
under() {
	local SOCKET=$D/other.sock
	SNOO_TIMEOUT_MS=2000 rank under 0 2 "$E2E/stream" -u 100 -l 65536 -p "$D/under"
	SNOO_TIMEOUT_MS=2000 guest_rank under 1 2 vm-b 1001 /snoo/e2e/stream -u 100 -l 65536
}
under
flows "$D/under" 0 "a stream in the domain that will be destroyed"
mixed beside 1 vm-a -- -u 1000 -l 70000
flows "$D/beside" 0 "and one in a guest of the other domain"
boot vm-c domain=other
vm_live vm-c
like "one guest scribbles over the pool and rings every bell" \
	"$(vm_cmd vm-c 0 /snoo/vm/scribble pool 2>&1)" "done"
vm_cmd vm-c 0 /snoo/vm/scribble bells
finish under
for r in 0 1; do
	like "rank $r under it ends by itself" "$(status under $r)" '^[013]$'
done
ok "a guest whose pool another one spoilt stays attached" vm_is vm-b live
fails "its QEMU lives" vm_ended vm-b
ok "and its daemon" guest_ctl vm-b version
flows "$D/beside" 0 "the guest of the other domain notices nothing"
bystander_moves "beside a destroyed domain"

# What a guest writes into its control memory is for the daemon alone.
spoil() {
	local how=$1
	vm_cmd vm-c 0 /snoo/vm/scribble "control-$how" >"$D/scribble" 2>&1
	if eventually was_cut "$2"; then
		pass "control memory, $how: cut off, and named in the log"
	else
		fail "control memory, $how: cut off, and named in the log" \
			"$(cat "$D/scribble")
$(admin vms)
$(tail -n 20 "$D/daemon.log")"
	fi
	ok "$how: the guests of its domain run on" vm_is vm-b live
	bystander_moves "beside a guest that scribbles: $how"
}
was_cut() {
	(($(grep -cE "(vm-c.*(cut|broke))|((cut|broke).*vm-c)" "$D/daemon.log") > $1))
}
cuts() { grep -cE "(vm-c.*(cut|broke))|((cut|broke).*vm-c)" "$D/daemon.log"; }
for how in tail frames all; do
	# Its daemon begins a session again by itself.
	ok "vm-c is live before: $how" eventually vm_is vm-c live
	spoil "$how" "$(cuts)"
done
before=$(daemon_worker)
flows "$D/beside" 0 "the guest of the other domain notices nothing"
end_of beside 2 "and has verified every message"
ok "the daemon answers" admin status
together "the other domain is as good as ever" after 1 vm-a

# A guest that rings all the time is not listened to for a while.
vm_cmd vm-c 0 timeout 5 /snoo/vm/scribble storm &
storm=$!
bystander_moves "beside a guest that rings all the time"
ok "the daemon answers meanwhile" admin status
together "jobs come and go meanwhile" storm 1 vm-a
wait "$storm"
is "the daemon is the same process" "$(daemon_worker)" "$before"
bystander_end
books_balance "every byte of its pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
