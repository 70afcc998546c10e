#!/bin/bash
# SPDX-License-Identifier: MIT
# snooctl-tune.sh - sizes are measured, the daemon takes them, and says where each comes from
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin} E2E=${E2E:-build/e2e}
for p in snooctl snoorun snoo-daemon; do
	[[ -x $BIN/$p ]] || skip_all "$p is not built"
done
command -v jq >/dev/null || skip_all "jq is not installed"
unset SNOO_ADMIN SNOO_SOCKET
dir=$(mktemp -d)
export XDG_RUNTIME_DIR=$dir
ready=$dir/ready
mkfifo "$ready"
filter=${SAN:+off}
daemon=
ended() {
	[[ -n $daemon ]] && kill "$daemon" 2>/dev/null && wait "$daemon"
	daemon=
}
trap 'ended; rm -rf "$dir"' EXIT

# with TUNED [OPTION...]: a daemon that looks there
with() {
	local tuned=$1
	shift
	ended
	"$BIN/snoo-daemon" --set keeper=none --set "seccomp=${filter:-auto}" \
		--pool-size 16M --runtime-dir "$dir/snoo" --tuned "$tuned" \
		--ready-fd 9 "$@" 9>"$ready" 2>"$dir/log" &
	daemon=$!
	read -r _ <"$ready" || {
		fail "the daemon starts" "$(<"$dir/log")"
		exit 1
	}
}
status() { "$BIN/snooctl" -r "$dir/snoo" --json status | jq -c "$1"; }
domain() { "$BIN/snooctl" -r "$dir/snoo" --json domains | jq -c ".[0]$1"; }

with ""
is "nothing is looked for" "$(status .tuned)" '{"file":"","in_force":false}'
is "all sizes are the defaults" "$(domain '.sizes_from | map(.) | unique')" '["default"]'
default=$(domain .stream_bytes)
machine=$(status '{cpu, cores}')

# tuned MACHINE KEYS
tuned() {
	jq -n --argjson m "$1" --argjson k "$2" \
		'{version: 1, machine: $m, measured: "now", domain: $k}' >"$dir/tuned.json"
}
tuned "$machine" '{"stream_bytes": 524288, "block_bytes": {"large": 131072}}'
with "$dir/tuned.json" --set domains.default.block_bytes.large=32K
is "a file of this machine is in force" "$(status .tuned.in_force)" true
is "its value counts" "$(domain .stream_bytes)" 524288
is "and is told as tuned" "$(domain .sizes_from.stream_bytes)" '"tuned"'
is "what is configured is stronger" "$(domain .large_block_bytes)" 32768
is "and is told as configured" "$(domain '.sizes_from["block_bytes.large"]')" '"configured"'
ok "ranks work with it" "$BIN/snoorun" -s "$dir/snoo/default.sock" -n 2 "$E2E/stream" -n 50

tuned "$(jq -c '.cores += 1' <<<"$machine")" '{"stream_bytes": 524288}'
with "$dir/tuned.json"
is "another machine's is not" "$(status .tuned.in_force)" false
is "the default counts" "$(domain .stream_bytes)" "$default"
like "and status says why" "$(status .warnings)" "tuned.json is not used: it was measured on another machine"
like "so does the log" "$(<"$dir/log")" "another machine"

# ---- measure
if (($(nproc) < 2)); then
	skip "it measures" "takes two cores"
else
	left() { find /tmp -maxdepth 1 -name 'snootune-*' -user "$(id -u)" | sort; }
	before=$(left)
	out=$("$BIN/snooctl" --json tune "$dir/new/tuned.json" 2>"$dir/err")
	status=$?
	sed 's/^/# /' "$dir/err"
	is "it says what it tried" "$(jq '[.stages[].candidates | length > 2] | all' <<<"$out")" true
	is "one of each stage is taken" "$(jq -c '[.stages[].candidates | map(select(.taken)) | length] | unique' <<<"$out")" '[1]'
	if ((status)) && grep -q "too busy" "$dir/err"; then
		is "a machine that is too busy has no file" "$(compgen -G "$dir/new/*")" ""
		skip "the daemon takes the file" "this machine is too busy to measure"
	else
		is "it measures" "$status" 0
		with "$dir/new/tuned.json"
		is "the daemon takes the file" "$(status .tuned.in_force)" true
	fi
	"$BIN/snooctl" tune "$dir/none.json" >/dev/null 2>&1 &
	tune=$!
	until [[ -n $(comm -13 <(echo "$before") <(left)) ]]; do :; done
	kill -TERM "$tune"
	wait "$tune"
	is "it can be interrupted" "$?" 1
	is "then it writes nothing" "$(compgen -G "$dir/none*")" ""
	is "nothing is left of both in /tmp" "$(left)" "$before"
fi
is "one file at most" "$("$BIN/snooctl" tune a b >/dev/null 2>&1; echo $?)" 2
done_testing
