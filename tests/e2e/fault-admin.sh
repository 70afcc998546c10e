#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-admin.sh - what is no request, too long, too slow or too many
. tests/lib/e2e.sh

daemon_start --pool-size 16M --set limits.admin_line_bytes=4096 \
	--set limits.admin_clients=4
bystander_start
ADMIN=$D/admin.sock

# says NAME REGEX BYTES: what the daemon answers.
says() {
	like "$1" "$(printf '%b' "$3" | timeout 30 "$E2E/raw" "$ADMIN")" "$2"
}

refusal='"ok": ?false.*"message"'
says "a good request" '"id": ?1.*"ok": ?true' '{"id":1,"cmd":"version"}\n'
says "no newline at the end" '"ok": ?true' '{"id":1,"cmd":"version"}'
says "no JSON" "$refusal" 'hello\n'
says "half an object" "$refusal" '{"id":1,\n'
says "two objects in a line" "$refusal" '{"id":1,"cmd":"help"}{"id":2}\n'
says "an array" "$refusal" '[1,2,3]\n'
says "no cmd" "$refusal" '{"id":1}\n'
says "a cmd that is no string" "$refusal" '{"id":1,"cmd":7}\n'
says "an unknown verb" "$refusal" '{"id":1,"cmd":"destroy"}\n'
says "an argument of another type" "$refusal" \
	'{"id":1,"cmd":"jobs","domain":{"a":1}}\n'
says "a domain that is not there" "$refusal" \
	'{"id":1,"cmd":"jobs","domain":"nowhere"}\n'
says "a NUL byte" "$refusal" '{"id":1,"cmd":"help\\u0000"}\n'
says "bytes that are no UTF-8" "$refusal" '{"id":1,"cmd":"\\xff\\xfe"}\n'
says "an empty line and a good one" '^\{"id": ?2.*"ok": ?true' \
	'\n  \n{"id":2,"cmd":"version"}\n'
says "a bad line and a good one" '"ok": ?false.*"ok": ?true' \
	'{"id":1\n{"id":2,"cmd":"version"}\n'
deep=$(printf '[%.0s' {1..3000})
says "deep nesting" "$refusal" "$deep\n"
long=$(printf 'x%.0s' {1..5000})
says "a line that is too long" "$refusal.*|too_long.*4096" "{\"id\":\"$long\"}\n"
like "megabytes without a newline" \
	"$(head -c 5000000 /dev/zero | tr '\0' x | timeout 30 "$E2E/raw" "$ADMIN")" \
	"too_long.*4096"
bystander_moves "among malformed requests"

all_there() {
	grep -q "all are there" "$D/$1.0.out"
}
served() {
	admin version >/dev/null
}

for how in hold half deaf; do
	rank "raw-$how" 0 1 "$E2E/raw" "$ADMIN" "$how" 3
	ok "three slow clients: $how" eventually all_there "raw-$how"
	ok "a fourth is served: $how" served
	rank "more-$how" 0 1 "$E2E/raw" "$ADMIN" "$how" 40
	eventually all_there "more-$how"
	run_ends "too many: $how" 1 "limits.admin_clients|busy" \
		"$BIN/snooctl" --socket "$ADMIN" version
	ok "the longest silent one gives way: $how" eventually served
	bystander_moves "among slow admin clients: $how"
	e2e_kill TERM "${pid_of[raw-$how.0]}"
	e2e_kill TERM "${pid_of[more-$how.0]}"
	finish "raw-$how"
	finish "more-$how"
	ok "when they are gone there is room: $how" eventually served
done

# In the middle of an answer.
for i in 1 2 3 4 5 6 7 8; do
	(printf '{"id":1,"cmd":"help"}\n{"id":2,"cmd":"config"}\n' |
		"$E2E/raw" "$ADMIN" | head -c "$((i * 10))" >/dev/null)
done
ok "clients that leave in the middle of an answer" eventually served
bystander_end
run_ends "no daemon" 3 "$D/none" "$BIN/snooctl" --socket "$D/none" status
done_testing
