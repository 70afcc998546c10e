#!/bin/bash
# SPDX-License-Identifier: MIT
# job.sh - a daemon and ranks of another processor, every byte checked
# timeout: 120
#
# Each process runs by an emulator of its own, on this machine's kernel: shared
# memory, sockets and wakings are real.  The daemon has no keeper, because a
# program for this processor cannot be executed by another.
[[ -n ${RUNNER:-} ]] || { echo "for make cross: RUNNER is not set"; exit 77; }

# Programs as the scripts of tests/e2e know them.
B=$(cd "${B:-build}" && pwd) || exit 1
by=$B/by
rm -rf "$by"
for program in "$B"/{bin,e2e,examples}/*; do
	[[ -f $program && -x $program ]] || continue
	to=$by/${program#"$B"/}
	mkdir -p "${to%/*}"
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$RUNNER" "$program" >"$to"
	chmod +x "$to"
done
BIN=$by/bin
E2E=$by/e2e
E2E_WAIT_S=60
. tests/lib/e2e.sh

# well NAME RANKS COMMAND...: a test; that job ends as it should.
jobs=0
well() {
	local name=$1 ranks=$2
	shift 2
	jobs=$((jobs + 1))
	job "j$jobs" "$ranks" "$@"
	all_well "$name" "j$jobs" "$ranks"
}

daemon_start --no-keeper --pool-size 4M --set domains.default.ranks_max=16 \
	--set domains.default.job_ranks_max=16

well "four ranks, all to all, all sizes" 4 "$E2E/stream" -n 25
well "two ranks that sleep between their messages" 2 \
	"$E2E/stream" -n 200 -u 300 -l 65536
well "small sends, received in the other order" 2 "$E2E/safe" tags 2000 8
well "sends of 10 KB, received in the other order" 2 \
	"$E2E/safe" tags 200 10000
well "two ranks that both send 6 MB first" 2 "$E2E/safe" both 6000000
well "barriers" 4 "$E2E/safe" barrier 50
well "an example, with the shared library" 3 "$by/examples/ring"
like "it says what it should" "$(text "j$jobs" 0)" '9, expected 9'

# A rank that dies is noticed, and takes nothing with it.
bystander_start
job dies 2 "$E2E/stream" -n 1000000 -u 300 -k 1
sleep 1
kill -KILL "${pid_of[dies.1]}"
ends "its partner has all that was sent" dies 0 0 ''
bystander_end
books_balance "all memory comes back"
like "snooctl says what there is" "$("$BIN/snooctl" --socket "$D/admin.sock" \
	status)" 'default'
daemon_stop
is "the daemon stops as asked" "$daemon_status" 0
done_testing
