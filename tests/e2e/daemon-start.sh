#!/bin/bash
# SPDX-License-Identifier: MIT
# daemon-start.sh - start, stop, locks, stale sockets, exit codes
. tests/lib/e2e.sh

daemon=$BIN/snoo-daemon
never=(--set domains.default.pool.huge_pages=never)

mode() {
	stat -c %a "$1"
}

# ---- the command line ----

like "--version" "$("$daemon" --version)" '^snoo-daemon [0-9]+\.[0-9]+'
like "--help" "$("$daemon" --help)" '--runtime-dir'
run_ends "an unknown option" 2 'unrecognized option' "$daemon" --bogus
run_ends "a word that is no option" 2 'this is no option: here' "$daemon" here
run_ends "--set without a value" 2 'KEY=VALUE' "$daemon" --set nothing
run_ends "--ready-fd that is no number" 2 'descriptor' "$daemon" --ready-fd x
run_ends "a key that does not exist" 2 'bogus' "$daemon" --set bogus=1
run_ends "a configuration that is not there" 2 'missing.json' \
	"$daemon" --config "$D/missing.json"
run_ends "the guest role where there are no devices" 1 'the VM needs an ivshmem-doorbell' "$daemon" \
	--runtime-dir "$D" --set role=guest

echo '{"log_level": "debug"}' >"$D/good.json"
printf '{\n  "log_level": "loud"\n}\n' >"$D/bad.json"
run_ends "--check-config of a good file" 0 'OK' \
	"$daemon" --check-config "$D/good.json"
run_ends "--check-config of a bad one: line and column" 2 'bad.json:2:' \
	"$daemon" --check-config "$D/bad.json"
run_ends "a bad configuration does not start" 2 'bad.json:2:' \
	"$daemon" --config "$D/bad.json" --runtime-dir "$D"

# ---- start and stop ----

daemon_start --pool-size 8M
is "the client socket's mode" "$(mode "$D/default.sock")" 660
is "the admin socket's mode" "$(mode "$D/admin.sock")" 600
like "it answers" "$(admin version)" '"version"'

run_ends "a second daemon of the domain" 3 \
	"served already, by process $(daemon_worker) " \
	"$daemon" --runtime-dir "$D" "${never[@]}"
run_ends "the same without a keeper" 3 'served already' \
	"$daemon" --runtime-dir "$D" --no-keeper "${never[@]}"
run_ends "another domain, but the same admin socket" 3 'another process' \
	"$daemon" --runtime-dir "$D" --domain other --pool-size 8M \
	--set domains.other.pool.huge_pages=never
like "the first one goes on" "$(admin version)" '"version"'

daemon_stop
is "SIGTERM: stopped as asked" "$daemon_status" 0
is "no socket is left" "$(find "$D" -name '*.sock')" ""

# ---- what a killed one leaves ----

daemon_start --pool-size 8M --no-keeper
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
daemon_pid=
ok "a killed daemon leaves its socket" test -S "$D/default.sock"
daemon_start --pool-size 8M --no-keeper
like "the next one takes its place" "$(admin version)" '"version"'
daemon_stop

echo mine >"$D/default.sock"
run_ends "a file in the place of the socket is not removed" 2 \
	'something else' \
	"$daemon" --runtime-dir "$D" --pool-size 8M "${never[@]}"
is "it is still there" "$(cat "$D/default.sock")" mine
rm "$D/default.sock"

long=$D/$(printf 'x%.0s' {1..100})
run_ends "a path too long for a socket" 2 'may have 107' \
	"$daemon" --runtime-dir "$long" --pool-size 8M "${never[@]}"

run_ends "a pool too small for its ranks" 2 'pool' \
	"$daemon" --runtime-dir "$D" --pool-size 4M "${never[@]}" \
	--set domains.default.ranks_max=4096

# ---- the directory ----

mkdir "$D/a"
daemon_start --pool-size 8M --set runtime_dir="$D/a/b/c"
want=700
((UID == 0)) && want=755
is "runtime_dir is made with all above it" "$(mode "$D/a/b/c")" $want
daemon_stop

# ---- with its parent ----

mkfifo "$D/up"
bash -c '"$0" "$@" >/dev/null 2>&1 8<>"'"$D/up"'" --ready-fd 8 & read -r' \
	"$daemon" --runtime-dir "$D" --pool-size 8M --exit-with-parent \
	"${never[@]}" 7<>"$D/up" <"$D/up" &
parent=$!
started+=("$parent")
wait "$parent"
gone() {
	[[ ! -S $D/default.sock ]]
}
ok "--exit-with-parent: it stops when its parent has ended" eventually gone

# ---- at rest ----

daemon_start --pool-size 8M
ticks() {
	awk '{print $14 + $15}' "/proc/$(daemon_worker)/stat"
}
switches() {
	awk '/ctxt_switches/ {n += $2} END {print n}' \
		"/proc/$(daemon_worker)/status"
}
before=$(switches)
sleep 1
is "an idle daemon does not wake up" "$(switches)" "$before"
daemon_stop

done_testing
