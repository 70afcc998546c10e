#!/bin/bash
# SPDX-License-Identifier: MIT
# safe-pool.sh - what MPI calls safe ends, on the smallest pool there is
. tests/lib/e2e.sh

daemon_start --pool-size 4M --set domains.default.ranks_max=16 \
	--set domains.default.job_ranks_max=16
bystander_start

jobs=0

# safe NAME RANKS PROGRAM...
safe() {
	local name=$1 ranks=$2 job=safe$((jobs += 1))
	shift 2
	job "$job" "$ranks" "$E2E/safe" "$@"
	all_well "$name" "$job" "$ranks"
}

safe "5000 small sends, received in the other order" 2 tags 5000 8
safe "1000 sends of 10 KB, received in the other order" 2 tags 1000 10000
safe "20 sends of 1 MB, received in the other order" 2 tags 20 1000000
safe "two ranks that both send 6 MB first" 2 both 6000000
safe "a third rank sits on unread blocks" 3 unread 16384
safe "a third rank sits on unread offers" 3 unread 80000
safe "a million unexpected messages" 2 flood 1000000
safe "messages to oneself" 1 self 1000000
safe "one message of 64 MiB and a byte" 2 large 67108865
safe "barriers" 6 barrier 200
bystander_moves "while the pool is short"

job all 6 "$E2E/stream" -n 40
all_well "six ranks, all to all, all sizes" all 6
job one 2 "$E2E/stream" -1 -n 800
all_well "blocking calls, one way" one 2

if [[ -n ${SNOO_STRESS_S:-} && $SNOO_STRESS_S -gt 20 ]]; then
	safe "one message of more than 4 GiB" 2 large $((4294967296 + 12345))
fi
bystander_end
books_balance "every byte of the pool is free again"
done_testing
