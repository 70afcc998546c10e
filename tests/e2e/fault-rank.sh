#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-rank.sh - ranks that fork, spoil their fds, or spoil their domain
. tests/lib/e2e.sh

cat >"$D/conf" <<'END'
{
	"domains": {
		"default": {"pool": {"size_bytes": "16M", "huge_pages": "never"}},
		"holes": {"pool": {"size_bytes": "16M", "huge_pages": "never"}},
		"noise": {"pool": {"size_bytes": "16M", "huge_pages": "never"}}
	}
}
END
daemon_start --config "$D/conf"
bystander_start

# Forks: the child gets -ESTALE, the parent goes on.
job forker 2 "$E2E/forker"
all_well "a rank forks: the child gets -ESTALE, the parent goes on" forker 2
bystander_moves "while a rank forks"

# Every fd spoilt, and a job beside it in the same domain.
says() {
	grep -q "$3" "$D/$1.$2.out"
}
job drainer 3 "$E2E/drainer"
for r in 0 1 2; do
	ok "rank $r spoils its fds" eventually says drainer "$r" spoilt
done
job beside 2 "$E2E/stream" -n 500
all_well "a job beside it" beside 2
bystander_moves "beside spoilt fds"
for r in 0 1 2; do
	e2e_kill TERM "${pid_of[drainer.$r]}"
done
all_well "the spoiler ends" drainer 3

# A domain whose memory one of its members destroys, under a job and before
# another one joins.
destroy() {
	local how=$1 r
	local SOCKET=$D/$how.sock
	SNOO_TIMEOUT_MS=1000 job "under-$how" 2 "$E2E/stream" -l 65536 -u 100 \
		-p "$D/under-$how.counts"
	eventually runs "$D/under-$how.counts"
	rank "puncher-$how" 0 1 "$E2E/puncher" "$how"
	ok "$how: it begins" eventually says "puncher-$how" 0 begins
	bystander_moves "in another domain: $how"
	SNOO_TIMEOUT_MS=1000 job "late-$how" 2 "$E2E/stream" -n 200
	finish "under-$how"
	finish "late-$how"
	for r in 0 1; do
		like "$how: rank $r under it ends by itself" \
			"$(status "under-$how" $r)" '^[013]$'
		like "$how: rank $r that joins late ends by itself" \
			"$(status "late-$how" $r)" '^[013]$'
	done
	e2e_kill TERM "${pid_of[puncher-$how.0]}"
	ends "$how: it ends" "puncher-$how" 0 0 "done"
	bystander_moves "in another domain, afterwards: $how"
}
runs() {
	(($(counted "$1" 0) > 100))
}
before=$(daemon_worker)
destroy holes
destroy noise
is "the daemon is the same process" "$(daemon_worker)" "$before"
ok "and answers" admin status
job after 2 "$E2E/stream" -n 200
all_well "the other domain is as good as ever" after 2
bystander_end
books_balance "every byte of its pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0

# Huge pages: a hole that nobody can fill raises SIGBUS.
free_before=$(cat /proc/sys/vm/nr_hugepages)
huge_back() {
	echo "$free_before" >/proc/sys/vm/nr_hugepages
}
huge_free() {
	awk '/^HugePages_Free/ { print $2 }' /proc/meminfo
}
# (ThreadSanitizer has a SIGBUS handler of its own, which does not return.)
if [[ $(id -u) == 0 && $(huge_free) == 0 && ${SAN:-} != *thread* ]] &&
	echo $((free_before + 16)) >/proc/sys/vm/nr_hugepages 2>/dev/null &&
	trap 'e2e_cleanup; huge_back' EXIT && (($(huge_free) >= 16)); then
	cat >"$D/conf" <<'END'
{
	"domains": {
		"default": {"pool": {"size_bytes": "16M", "huge_pages": "never"}},
		"other": {"pool": {"size_bytes": "16M", "huge_pages": "require"}}
	}
}
END
	daemon_launch "$BIN/snoo-daemon" --runtime-dir "$D" --config "$D/conf"
	bystander_start
	SOCKET=$D/other.sock
	PROOF_ALARM_S=30 job victim 2 "$E2E/stream" -u 300 -l 65536
	rank puncher 0 1 "$E2E/puncher" huge
	ok "a puncher takes every free huge page" eventually says puncher 0 begins
	# The daemon notices when it touches a hole: whenever a rank joins.
	lost() {
		SNOO_SOCKET=$D/other.sock SNOO_RANK=0 SNOO_SIZE=1 \
			"$E2E/stream" -n 1 >/dev/null 2>&1
		admin domains | jq -e 'any(.[]; .domain == "other" and
			.state == "lost")' >/dev/null
	}
	ok "its domain is lost, and status says so" eventually lost
	SOCKET=$D/default.sock
	bystander_moves "while the other domain is lost"
	SOCKET=$D/other.sock
	rank again 0 1 "$E2E/stream" -n 1
	ends "who joins the lost domain is told" again 0 3 "domain .*is lost"
	finish victim
	# 99: what AddressSanitizer makes of a SIGBUS (135).
	like "a rank of the lost domain ends" "$(status victim 0)" \
		"^(1|3|135|142${SAN:+|99})\$"
	SOCKET=$D/default.sock
	e2e_kill TERM "${pid_of[puncher.0]}"
	finish puncher
	bystander_end "after a domain was lost"
	daemon_stop
else
	skip "a puncher takes every free huge page" \
		"needs root, 16 more huge pages, no TSan"
fi
done_testing
