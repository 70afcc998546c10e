#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-config.sh - a daemon that cannot start says why, and harms nobody
. tests/lib/e2e.sh

daemon_start --pool-size 16M
bystander_start
DAEMON=$BIN/snoo-daemon

# conf TEXT: a file with it, in $D/conf.
conf() {
	printf '%s\n' "$1" >"$D/conf"
}

# refuses NAME REGEX TEXT: --check-config and a start both refuse.
refuses() {
	conf "$3"
	run_ends "$1: checked" 2 "$2" "$DAEMON" --check-config "$D/conf"
	run_ends "$1: started" 2 "$2" "$DAEMON" --runtime-dir "$D/x" \
		--config "$D/conf"
}

refuses "malformed JSON" 'conf:2:[0-9]+' $'{\n "role": }'
refuses "an unknown key" 'conf:2:[0-9]+.*rool' $'{\n "rool": "host"\n}'
refuses "a value of another type" 'conf:1:[0-9]+.*role' '{"role": 7}'
refuses "a word that is not one of those" 'role.*(auto|host)' \
	'{"role": "boss"}'
refuses "a pool that is no power of two" 'power of two' \
	'{"domains": {"default": {"pool": {"size_bytes": "3M"}}}}'
refuses "a number out of range" 'ranks_max' \
	'{"domains": {"default": {"ranks_max": 0}}}'
refuses "a key twice" 'conf:1:[0-9]+' '{"role": "host", "role": "host"}'
refuses "no object" 'conf:1:[0-9]+' '[]'
run_ends "no such file" 2 "nothing-here" "$DAEMON" --config "$D/nothing-here"
run_ends "an unknown option" 2 "usage|unrecognized" "$DAEMON" --boss
run_ends "an unknown key on the command line" 2 "boss" "$DAEMON" \
	--runtime-dir "$D/x" --set boss=1
run_ends "a pool size that is no size" 2 "pool" "$DAEMON" \
	--runtime-dir "$D/x" --pool-size many
conf '{"domains": {"default": {"pool": {"size_bytes": "16M"}}}}'
run_ends "a good file" 0 '' "$DAEMON" --check-config "$D/conf"
bystander_moves "while daemons fail to start"

run_ends "a second daemon for the domain" 3 "served already.*process" \
	"$DAEMON" --runtime-dir "$D"
run_ends "the same without a keeper" 3 "served already.*process" \
	"$DAEMON" --runtime-dir "$D" --no-keeper
like "the first one is still served" "$(admin jobs)" bystander

long=$D/$(printf 'd%.0s' {1..120})
run_ends "a socket path that is too long" 2 "default.sock.*107; use a shorter" \
	"$DAEMON" --runtime-dir "$long" --pool-size 16M
ok "nothing stays behind" test ! -e "$long/default.sock"

mkdir "$D/taken"
mkdir "$D/taken/default.sock"
run_ends "something else has the socket's name" 2 "default.sock" \
	"$DAEMON" --runtime-dir "$D/taken" --pool-size 16M
: >"$D/file"
run_ends "the runtime directory is a file" 1 "$D/file" \
	"$DAEMON" --runtime-dir "$D/file" --pool-size 16M

if [[ $(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo) == 0 ]]; then
	run_ends "huge pages required, none there" 1 "huge.page" "$DAEMON" \
		--runtime-dir "$D/x" --pool-size 16M \
		--set domains.default.pool.huge_pages=require
else
	skip "huge pages required, none there" "this machine has free ones"
fi
run_ends "a pool larger than the memory" 1 "memory" "$DAEMON" \
	--runtime-dir "$D/x" --pool-size 64G \
	--set domains.default.pool.huge_pages=never
run_ends "a pool too small for its ranks" 2 "pool" "$DAEMON" \
	--runtime-dir "$D/x" --pool-size 4M \
	--set domains.default.ranks_max=4096
bystander_end "while daemons fail to start"
daemon_stop
is "a stopped daemon's status" "$daemon_status" 0
ok "no socket stays behind" test ! -e "$SOCKET"

# Huge pages are wanted, but none are there: it serves and keeps saying so.
if [[ $(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo) == 0 ]]; then
	daemon_launch "$DAEMON" --runtime-dir "$D" --pool-size 16M
	like "without huge pages: a warning that stays in status" \
		"$(admin status | jq -r '.warnings[]')" "huge pages"
	daemon_stop
else
	skip "without huge pages: a warning that stays in status" \
		"this machine has free ones"
fi

# A socket file that nobody serves, from a daemon that was killed.
daemon_start --pool-size 16M --no-keeper
e2e_kill KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
ok "a killed daemon leaves its socket" test -S "$SOCKET"
rank stale 0 1 "$E2E/stream" -n 1
ends "a rank at the stale socket" stale 0 3 "no snoo-daemon at $SOCKET.*snoorun"
daemon_start --pool-size 16M
bystander_start
bystander_end "after a stale socket was replaced"
done_testing
