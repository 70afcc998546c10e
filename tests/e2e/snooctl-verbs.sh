#!/bin/bash
# SPDX-License-Identifier: MIT
# snooctl-verbs.sh - every verb of a real daemon; snoorun finds it, reload changes it
# shellcheck disable=SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin}
for p in snooctl snoorun snoo-daemon; do
	[[ -x $BIN/$p ]] || skip_all "$p is not built"
done
command -v jq >/dev/null || skip_all "jq is not installed"
unset SNOO_ADMIN SNOO_SOCKET
dir=$(mktemp -d)
export XDG_RUNTIME_DIR=$dir
conf=$dir/snoo.json
ready=$dir/ready
mkfifo "$ready"
echo '{"keeper": "none", "domains": {"default": {"pool": {"size_bytes": "8M"}}}}' >"$conf"
# The leak checker needs system calls that the filter forbids.
filter=${SAN:+off}
"$BIN/snoo-daemon" --config "$conf" --set "seccomp=${filter:-auto}" --runtime-dir "$dir/snoo" --ready-fd 9 9>"$ready" 2>"$dir/log" &
daemon=$!
trap 'kill "$daemon" 2>/dev/null; wait "$daemon"; rm -rf "$dir"' EXIT
read -r _ <"$ready" || skip_all "the daemon did not start: $(<"$dir/log")"

ctl() {
	"$BIN/snooctl" "$@" 2>&1
}
rc() {
	"$@" >/dev/null 2>&1
	echo $?
}

# ---- verbs
verbs=$(ctl --json help | jq -r '.[].verb')
like "the daemon lists its verbs" "$(tr '\n' ' ' <<<"$verbs")" "status .*ranks .*help"
for v in $verbs; do
	[[ $v == why || $v == evict ]] && continue # take a rank, a VM
	is "$v: for people" "$(rc "$BIN/snooctl" "$v")" 0
	ok "$v: one line of JSON" test "$(ctl --json "$v" | wc -l)" -eq 1
	ok "$v: it is JSON" jq -e 'type' <<<"$(ctl --json "$v")"
done
is "why needs a rank that is there" "$(rc "$BIN/snooctl" why 0)" 1
is "an argument that the verb lacks" "$(rc "$BIN/snooctl" status colour=red)" 1
is "a domain that is not there" "$(rc "$BIN/snooctl" ranks domain=nowhere)" 1
is "status knows the pid" "$(ctl --json status | jq .pid)" "$daemon"
is "the configuration in force is a configuration" \
	"$(ctl config >"$dir/dump.json"; rc "$BIN/snooctl" config check "$dir/dump.json")" 0
is "metrics are well-formed" "$(ctl metrics | grep -cvE '^(# TYPE [a-z_]+ untyped|[a-z_]+(\{[^}]*\})? [-0-9.e+]+)$')" 0

# ---- snoorun
sock=$dir/snoo/default.sock
is "snoorun finds a daemon that runs" "$("$BIN/snoorun" -n 1 sh -c 'echo "$SNOO_SOCKET"')" "$sock"
is "--socket names it" "$(XDG_RUNTIME_DIR='' "$BIN/snoorun" -s "$sock" -n 1 sh -c 'echo "$SNOO_SOCKET"')" "$sock"
is "so does \$SNOO_SOCKET" "$(XDG_RUNTIME_DIR='' SNOO_SOCKET=$sock "$BIN/snoorun" -n 1 sh -c 'echo "$SNOO_SOCKET"')" "$sock"
ok "--private starts another" test "$("$BIN/snoorun" --private --pool-size 8M -n 1 sh -c 'echo "$SNOO_SOCKET"')" != "$sock"
ok "so does a domain that this one does not serve" \
	test "$("$BIN/snoorun" -d other --pool-size 8M -n 1 sh -c 'echo "$SNOO_SOCKET"')" != "$sock"
is "--place is for a private daemon" "$(rc "$BIN/snoorun" -n 1 --place spread true)" 2
is "so is --pool-size" "$(rc "$BIN/snoorun" -n 1 --pool-size 8M true)" 2
is "a named socket without a daemon is an error" "$(rc "$BIN/snoorun" -s "$dir/none" -n 1 true)" 125
is "so is one in the environment" "$(SNOO_SOCKET=$dir/none rc "$BIN/snoorun" -n 1 true)" 125
err=$("$BIN/snoorun" --private --pool-size 3M -n 1 true 2>&1)
is "a private daemon that can't start" "$(rc "$BIN/snoorun" --private --pool-size 3M -n 1 true)" 125
like "is told with its own words" "$err" "--pool-size 3M: domains\.default\.pool\.size_bytes: is 3M, must be a power of two"

# ---- reload
echo '{"keeper": "none", "log_level": "debug", "domains": {"default": {"pool": {"size_bytes": "16M"}}}}' >"$conf"
kill -HUP "$daemon"
# The verb runs in the daemon's loop: it answers before or after, not between.
while [[ $(ctl --json config | jq -r .log_level) != debug ]]; do :; done
pass "what can change at run time changes"
is "what takes a restart stays" "$(ctl --json config | jq '.domains.default.pool.size_bytes')" $((8 << 20))
like "and the log says so" "$(<"$dir/log")" "restart key=domains\.default\.pool\.size_bytes"
echo '{"log_level": "loud"}' >"$conf"
kill -HUP "$daemon"
while ! grep -q 'log_level: is "loud"' "$dir/log"; do :; done
is "a file with mistakes changes nothing" "$(ctl --json config | jq -r .log_level)" debug

# ---- the end
kill "$daemon"
wait "$daemon"
is "the daemon ends when asked" "$?" 0
is "nobody answers any more" "$(rc "$BIN/snooctl" -r "$dir/snoo" status)" 3
done_testing
