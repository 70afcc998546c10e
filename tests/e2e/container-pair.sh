#!/bin/bash
# SPDX-License-Identifier: MIT
# container-pair.sh - one job in two containers that share a socket and no more
#
# Each rank has user, PID, IPC, network and mount namespaces of its own, another
# uid map, no capability, a root of its own, and of the daemon only the
# directory with the socket.
# timeout: 120

# ---- inside: as root of the new namespaces ----
if [[ ${1:-} == --inside ]]; then
	set -e
	root=$2 e2e=$3 sockets=$4
	shift 4
	mount -t tmpfs tmpfs "$root"
	mkdir "$root"/{usr,e2e,snoo,proc,old}
	for d in bin lib lib64; do
		ln -s "usr/$d" "$root/$d"
	done
	mount --rbind /usr "$root/usr"
	mount --rbind "$e2e" "$root/e2e"
	mount --rbind "$sockets" "$root/snoo"
	mount -t proc proc "$root/proc"
	cd "$root"
	pivot_root . old
	cd /
	umount -l /old
	rmdir /old
	# shellcheck disable=SC2016
	exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs \
		/bin/bash -c '
			printf "caps %s\n" "$(grep -c "^Cap\(Eff\|Prm\|Bnd\).*[1-9a-f]" /proc/self/status)"
			printf "maps %s\n" "$(tr -s " " </proc/self/uid_map)"
			printf "pid %s\n" "$$"
			printf "tree %s\n" "$(echo /*)"
			exec "$@"' bash "$@"
fi

. tests/lib/e2e.sh

[[ $(id -u) == 0 ]] || skip_all "needs root, to be two other users"
unshare --user --map-root-user --pid --ipc --net --mount --fork true \
	2>/dev/null || skip_all "no user namespaces here"

mkdir -m 755 "$D/run" "$D/root"
daemon_start --pool-size 16M \
	--set "domains.default.socket.path=$D/run/snoo.sock" \
	--set domains.default.socket.mode=0666
SOCKET=$D/run/snoo.sock
bystander_start
here=$(realpath "$0")
# Other users must be able to reach what they run.
cp -r "$E2E" "$D/e2e"
cp "$here" "$D/inside"
chmod -R a+rX "$D/e2e" "$D/inside"

# contained JOB RANK SIZE UID COMMAND...: of the folder /e2e
contained() {
	local job=$1 r=$2 size=$3 uid=$4
	shift 4
	SNOO_SOCKET=/snoo/snoo.sock SNOO_JOB=$job SNOO_RANK=$r SNOO_SIZE=$size \
		setpriv --reuid="$uid" --regid="$uid" --clear-groups \
		unshare --user --map-root-user --pid --ipc --net --mount \
		--fork --kill-child \
		bash "$D/inside" --inside "$D/root" "$D/e2e" "$D/run" "$@" \
		>"$D/$job.$r.out" 2>&1 </dev/null &
	pid_of[$job.$r]=$!
	started+=("$!")
}

contained pair 0 2 70001 /e2e/stream -n 2000
contained pair 1 2 70002 /e2e/stream -n 2000
all_well "two containers, all sizes, both directions" pair 2
for r in 0 1; do
	like "rank $r has no capability" "$(text pair $r)" 'caps 0'
	like "rank $r is 7000$((r + 1)) outside" "$(text pair $r)" \
		"maps 0? ?0 7000$((r + 1)) 1"
	like "rank $r has its own PID namespace" "$(text pair $r)" 'pid [1-9]$|pid [1-9][^0-9]'
	like "rank $r sees the socket's directory and no more" \
		"$(text pair $r)" 'tree /bin /e2e /lib /lib64 /proc /snoo /usr'
done

contained big 0 2 70001 /e2e/safe large 67108865
contained big 1 2 70002 /e2e/safe large 67108865
all_well "64 MiB and a byte between them" big 2

contained mixed 0 3 70001 /e2e/stream -n 500
contained mixed 1 3 70002 /e2e/stream -n 500
rank mixed 2 3 "$E2E/stream" -n 500
all_well "two containers and a process of the host" mixed 3
bystander_moves "beside containers"

# Its death is noticed, though its pid means nothing outside.
contained dies 0 2 70001 /e2e/stream -k 1
contained dies 1 2 70002 /e2e/stream -k 1
running() {
	[[ $(admin ranks | jq '[.[] | select(.job == "dies")] | length') == 2 ]]
}
ok "they run" eventually running
e2e_kill KILL "$(admin ranks | jq '.[] | select(.job == "dies" and .rank == 1) | .pid')"
ends "a container is killed: its partner is told" dies 0 0 verified
bystander_end
books_balance "every byte of the pool is free again"
done_testing
