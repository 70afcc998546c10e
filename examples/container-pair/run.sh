#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - two ranks in two containers, made with unshare(1) alone
#
# Usage: examples/container-pair/run.sh [PROGRAM [ARGUMENT...]]
#
# PROGRAM is examples/pingpong of the build folder if not given; any SNOO
# program of two ranks will do.  Environment: B, the build folder.
#
#        host                snoo-daemon, sockets in $dir/run
#                               |  bind mount: all that a container needs
#          +--------------------+--------------------+
#   container 0                               container 1
#   own users, PIDs, mounts, IPC              own users, PIDs, mounts, IPC
#   we are uid 1000                           we are uid 2000
#   /run/snoo/default.sock                    /run/snoo/default.sock
#          |                                         |
#        rank 0  ------- lines and blocks -------  rank 1
#                        in one memory file,
#                  which the daemon passes by its socket
#
# The same with Docker or Podman: -v /run/snoo:/run/snoo, and in the
# environment SNOO_JOB, SNOO_RANK and SNOO_SIZE (or neither rank nor size: the
# daemon then numbers the ranks as they come).  No capability, no shared IPC or
# PID namespace and no /dev/shm is needed.
set -eu

# ---- inside a container ------------------------------------------------------

# The script starts itself again in the new namespaces, as their root:
#   run.sh --inside SOCKETS USER PROGRAM...
if [ "${1:-}" = --inside ]; then
	sockets=$2
	user=$3
	shift 3
	# /proc shows our own processes; /run is empty but for the sockets.
	mount -t proc proc /proc
	mount -t tmpfs tmpfs /run
	mkdir /run/snoo
	mount --bind "$sockets" /run/snoo
	# Become the user, who has no privilege even in here.
	exec unshare --user --map-user="$user" --map-group="$user" \
		setpriv --bounding-set=-all --inh-caps=-all --no-new-privs \
		"$0" --user "$@"
fi
if [ "${1:-}" = --user ]; then
	shift
	echo "rank $SNOO_RANK: uid $(id -u), pid $$," \
		"pid namespace $(readlink /proc/self/ns/pid)"
	exec "$@"
fi

# container RANK USER PROGRAM...
container() {
	rank=$1
	user=$2
	shift 2
	unshare --user --map-root-user --pid --fork --kill-child --mount --ipc \
		env SNOO_JOB=pair SNOO_RANK="$rank" SNOO_SIZE=2 \
		SNOO_SOCKET=/run/snoo/default.sock \
		"$0" --inside "$dir/run" "$user" "$@"
}

# ---- the host ----------------------------------------------------------------

top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${B:-$top/build}
case $bin in /*) ;; *) bin=$top/$bin ;; esac
[ $# -gt 0 ] || set -- "$bin/examples/pingpong"

dir=$(mktemp -d "${TMPDIR:-/tmp}/snoo-pair.XXXXXX")
daemon=
first=
finish() {
	[ -z "$first" ] || kill "$first" 2>/dev/null || :
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || :
	wait
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

# A daemon of our own, as on a host whose daemon runs from systemd.
mkdir "$dir/run"
"$bin/bin/snoo-daemon" --runtime-dir "$dir/run" --no-keeper --exit-with-parent \
	--log-level warning --ready-fd 3 3>"$dir/ready" &
daemon=$!
until [ -s "$dir/ready" ]; do
	kill -0 "$daemon" 2>/dev/null ||
		{ echo "run.sh: snoo-daemon did not start" >&2; exit 1; }
	sleep 0.1
done

container 0 1000 "$@" &
first=$!
container 1 2000 "$@"
wait "$first"
first=
