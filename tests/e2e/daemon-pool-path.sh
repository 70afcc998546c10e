#!/bin/bash
# SPDX-License-Identifier: MIT
# daemon-pool-path.sh - the pool's path for QEMU: who can open it, what follows
#			the daemon's death, what a file of that name is
. tests/lib/e2e.sh

path=$D/default.pool
vms=(--set domains.default.ivshmem.slots=3)

# The first bytes of what a guest will see.
head_of() {
	"${@:2}" dd if="$1" bs=8 skip=262144 count=1 2>/dev/null
}
holder() {
	readlink "$path" | cut -d/ -f3
}
turned() {
	[[ -L $path && $(readlink "$path") != "$1" ]]
}

daemon_start --pool-size 8M
ok "no VM may attach: no path" test ! -e "$path" -a ! -L "$path"
is "status says so" "$(admin status | jq -r '.domains[0] | "\(.pool_path) \(.sealed)"')" " true"
is "and nothing is written for guests" \
	"$(dd if="/proc/$(daemon_worker)/fd/$(find "/proc/$(daemon_worker)/fd" \
		-lname '*snoo-pool-default*' -printf '%f\n' | head -n 1)" bs=4096 skip=1 count=1 2>/dev/null |
		tr -d '\0' | wc -c)" 0
daemon_stop

# ---- a sealed memfd, by way of the holder ----

daemon_start --pool-size 8M "${vms[@]}"
bystander_start
is "status: the path, sealed" \
	"$(admin status | jq -r '.domains[0] | "\(.pool_path) \(.sealed)"')" "$path true"
is "a guest's device would begin with the head" "$(head_of "$path")" SNOOSHM1
is "and has the info block" "$(dd if="$path" bs=4096 skip=1 count=1 2>/dev/null | head -c 15)" \
	NVDIMM_DAX_INFO
is "the holder has no capability" \
	"$(sed -n 's/^Cap\(Prm\|Eff\|Inh\|Amb\):\t//p' "/proc/$(holder)/status" | sort -u)" 0000000000000000

before=$(readlink "$path")
kill -KILL "$(daemon_worker)"
eventually turned "$before"
ok "the next daemon turns the link" turned "$before"
is "to the same pool" "$(head_of "$path")" SNOOSHM1
bystander_moves "after the daemon was killed"
eventually e2e_ended "$(cut -d/ -f3 <<<"$before")"
ok "the first holder is gone" e2e_ended "$(cut -d/ -f3 <<<"$before")"

kill -KILL "$(holder)"
gone() {
	[[ ! -L $path ]]
}
eventually gone
ok "a holder that is killed takes the link with it" gone
like "status says what to do" "$(admin status | jq -r '.warnings[]')" 'holder was killed.*SIGUSR1'
kill -USR1 "$daemon_pid"
eventually test -L "$path"
is "after a hand-over there is one again" "$(head_of "$path")" SNOOSHM1
bystander_moves "after the hand-over"
bystander_end
daemon_stop
ok "a stop takes the link away" gone

# ---- another user's ----

if ((EUID == 0)) && command -v setpriv >/dev/null && getent passwd nobody >/dev/null; then
	u=$(id -u nobody)
	g=$(id -g nobody)
	as() {
		setpriv --reuid="$1" --regid="$2" --clear-groups "${@:3}"
	}
	daemon_start --pool-size 8M "${vms[@]}" --set domains.default.pool.holder_user=nobody
	is "that user opens it" "$(as "$u" "$g" dd if="$path" bs=8 skip=262144 count=1 2>/dev/null)" SNOOSHM1
	ok "another one does not" test -z "$(as 12345 "$g" head -c 1 "$path" 2>/dev/null | tr '\0' x)"
	ok "nor another group" test -z "$(as "$u" 12345 head -c 1 "$path" 2>/dev/null | tr '\0' x)"
	daemon_stop

	mkdir -m 777 "$D/u"
	D_=$D D=$D/u SOCKET=$D_/u/default.sock
	daemon_launch setpriv --reuid="$u" --regid="$g" --clear-groups "$BIN/snoo-daemon" \
		--runtime-dir "$D/run" --pool-size 8M --set domains.default.pool.huge_pages=never \
		"${vms[@]}" --set domains.default.pool.holder_user=root --no-keeper
	like "who may not become that user starts all the same, and says so" "$(<"$D/daemon.log")" \
		'cannot become uid 0 .*CAP_SETUID'
	daemon_stop
	D=$D_ SOCKET=$D/default.sock
else
	skip "another user's" "needs root, setpriv and a user nobody"
fi

# ---- pool.path ----

file=/dev/shm/snoo-e2e-$$.pool
if [[ $(stat -f -c %T /dev/shm 2>/dev/null) == tmpfs && -w /dev/shm ]]; then
	trap 'rm -f "$file"; e2e_cleanup' EXIT
	with_file=("${vms[@]}" --set "domains.default.pool.path=$file")
	daemon_start --pool-size 8M "${with_file[@]}" --set domains.default.pool.mode=0640
	bystander_start
	is "the file's mode and size" "$(stat -c '%a %s' "$file")" "640 8388608"
	is "the link leads there" "$(readlink "$path")" "$file"
	is "status: unsealed" "$(admin status | jq -r '.domains[0].sealed')" false
	like "and what that means" "$(admin status | jq -r '.warnings[]')" 'unsealed:.*ends this domain'
	run_ends "a second daemon keeps off it" 3 'another daemon serves it' \
		"$BIN/snoo-daemon" --no-keeper --runtime-dir "$D/second" --pool-size 8M \
		--set domains.default.pool.huge_pages=never "${with_file[@]}"
	inode=$(stat -c %i "$file")
	worker=$(daemon_worker)
	kill -KILL "$worker"
	next() {
		[[ $(daemon_worker) != "$worker" ]] && admin version >/dev/null 2>&1
	}
	eventually next
	is "a daemon that is killed leaves it to the next" "$(stat -c %i "$file")" "$inode"
	bystander_moves "after the daemon was killed"
	bystander_end

	truncate -s 2M "$file"
	run_ends "cut short: a new rank is refused" 3 'is lost' \
		env SNOO_SOCKET="$SOCKET" "$BIN/snoorun" -n 1 "$E2E/stream" -n 1
	ok "and the daemon lives" admin version
	is "the domain is lost" "$(admin domains | jq -r '.[0].state')" lost
	daemon_stop
	ok "the file is removed at the end" test ! -e "$file"

	: >"$file"
	daemon_start --pool-size 8M "${with_file[@]}"
	is "an old file is replaced" "$(stat -c %s "$file")" 8388608
	daemon_stop
	mkdir "$file"
	run_ends "what is no file is left alone" 2 'something else has that name' \
		"$BIN/snoo-daemon" --no-keeper --runtime-dir "$D" --pool-size 8M \
		--set domains.default.pool.huge_pages=never "${with_file[@]}"
	rmdir "$file"
else
	skip "pool.path" "no tmpfs at /dev/shm that can be written"
fi
done_testing
