#!/bin/bash
# SPDX-License-Identifier: MIT
# daemon-reload.sh - SIGHUP and SIGUSR1 under a stream
. tests/lib/e2e.sh

conf() {
	printf '%s\n' "$1" >"$D/snoo.json"
}

said() {
	grep -q -- "$1" "$D/daemon.log"
}

reload() {
	kill -HUP "$(daemon_worker)"
}

conf '{"domains": {"default": {"weights": {"bystander": 2}}}}'
daemon_start --config "$D/snoo.json" --pool-size 16M
bystander_start
weight() {
	admin jobs | jq -r '.[] | select(.job == "bystander") | .weight'
}
is "a weight from the file" "$(weight)" 2

conf '{"domains": {"default": {"weights": {"bystander": 5}}}}'
reload
changed() {
	[[ $(weight) == 5 ]]
}
ok "a reload changes it" eventually changed
ok "the log says what has changed" eventually said \
	'configuration changed key=domains.default.weights'
bystander_moves "after a reload"

conf '{"domains": {"default": {"ranks_max": 99999}}}'
reload
ok "a wrong file is refused" eventually said 'the old one stays in force'
is "the old one stays in force" "$(weight)" 5

conf '{"domains": {"default": {"weights": {"bystander": 5},
	"ranks_max": 128}}}'
reload
ok "what takes a restart is named" eventually said \
	'would change at a restart key=domains.default.ranks_max'
bystander_moves "after three reloads"

before=$(daemon_worker)
kill -USR1 "$before"
another() {
	local now
	now=$(daemon_worker)
	[[ -n $now && $now != "$before" ]] && admin version >/dev/null 2>&1
}
ok "SIGUSR1: another daemon goes on" eventually another
bystander_moves "after the hand-over"
is "its ranks are the same" "$(admin status | jq .ranks)" 2
bystander_end
daemon_stop
is "stopped as asked" "$daemon_status" 0

done_testing
