#!/bin/bash
# SPDX-License-Identifier: MIT
# safe-weights.sh - jobs share a pool that is too small for them by weight
# timeout: 180
. tests/lib/e2e.sh

# There the cores are what is short, and the pool is not.
[[ ${SAN:-} != *thread* ]] || skip_all "ThreadSanitizer slows the copies down"

cat >"$D/conf" <<'END'
{
	"domains": {
		"default": {
			"pool": {"size_bytes": "4M", "huge_pages": "never"},
			"ranks_max": 16, "job_ranks_max": 16,
			"weights": {"one": 1, "three": 3, "two": 2}
		}
	}
}
END
daemon_start --config "$D/conf"

heavy() {
	job "$1" 2 "$E2E/stream" -1 -s -l 1048576 -p "$D/$1"
}
bytes() {
	counted "$D/$1" 1 1022
}
moving() {
	(($(bytes "$1") > ${2:-8000000}))
}
short() {
	admin domains | jq -e '.[0].contended' >/dev/null
}

# shares JOB...: bytes of each in the same span of time, in $shares.
shares() {
	local j i=0
	local -a before=()
	for j; do before+=("$(bytes "$j")"); done
	sleep "${SPAN:-2}"
	shares=()
	for j; do
		shares+=($(($(bytes "$j") - before[i])))
		i=$((i + 1))
	done
}

# within GOT WANT PERCENT
within() {
	(($1 * 100 >= $2 * (100 - $3) && $1 * 100 <= $2 * (100 + $3)))
}

# about NAME GOT WANT PERCENT: a test, GOT within so much of WANT.
about() {
	if within "$2" "$3" "$4"; then
		pass "$1"
	else
		fail "$1" "$2 instead of $3; bytes: ${shares[*]}
$(admin scheduler)"
	fi
}

heavy one
heavy three
ok "both move" eventually moving one
ok "both move much" eventually moving three
ok "the pool is short" eventually short
# A span in which somebody else has the cores says nothing.
for try in 1 2 3; do
	shares one three
	within $((shares[1] * 100 / (shares[0] + 1))) 300 10 && break
done
printf '# weights 1 and 3 moved %s bytes\n' "${shares[*]}"
about "weights 1:3 get bytes 1:3" $((shares[1] * 100 / (shares[0] + 1))) 300 10

# A third one joins: within a second of its first byte it has its share.
heavy two
ok "a third job joins" eventually moving two 1
for try in 1 2 3; do
	shares one three two
	all=$((shares[0] + shares[1] + shares[2] + 1))
	within $((shares[2] * 600 / all)) 200 15 &&
		within $((shares[0] * 600 / all)) 100 15 && break
done
printf '# weights 1, 3 and 2 moved %s bytes, try %d\n' "${shares[*]}" "$try"
about "the third gets its share" $((shares[2] * 600 / all)) 200 15
about "the first keeps its own" $((shares[0] * 600 / all)) 100 15

for j in one three two; do
	e2e_kill TERM "${pid_of[$j.0]}"
	all_well "job $j ends with every message verified" "$j" 2
done
books_balance "every byte of the pool is free again"
done_testing
