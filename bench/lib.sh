# SPDX-License-Identifier: MIT
# lib.sh - what the benchmark scripts share: a daemon of our own, the machine
# shellcheck shell=bash disable=SC2034
#
#   bench_begin              scratch folder; all that was started ends with us
#   bench_started PID        what bench_end() ends, too; bench_ended PID
#   daemon_start [OPTION...] a private snoo-daemon for the programs of ours
#   daemon_stop
#   snoo_run N PROGRAM...    N pinned ranks over that daemon; all on ON_CORE, if
#                            set
#   machine_json             what we run on
#   machine_line JSON        the same for people
#   first_cores N            of our affinity mask
#   switch_points            sets REGISTER_MAX, LINES_MAX and BLOCK_MAX
#
# Environment: B, the build folder.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
B=${B:-build}
[[ $B == /* ]] || B=$TOP/$B
LIMIT=${BENCH_LIMIT_S:-120}	# seconds that one program may run
BENCH_TMP=
DAEMON_PID=
declare -A BENCH_PIDS=()
export LC_ALL=C

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

bench_end() {
	local status=$?
	trap - EXIT INT TERM
	((${#BENCH_PIDS[@]})) && kill "${!BENCH_PIDS[@]}" 2>/dev/null
	daemon_stop
	[[ -n $BENCH_TMP ]] && rm -rf "$BENCH_TMP"
	exit "$status"
}

bench_started() { BENCH_PIDS[$1]=1; }
bench_ended() { unset "BENCH_PIDS[$1]"; }

bench_begin() {
	BENCH_TMP=$(mktemp -d "${TMPDIR:-/tmp}/snoo-bench.XXXXXX") || exit 1
	trap bench_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	local p
	for p in jq awk; do
		command -v "$p" >/dev/null || die "$p is not installed: make deps"
	done
	for p in "$@"; do
		[[ -x $B/$p ]] || die "$B/$p is missing: make all"
	done
}

# ---- our side ----------------------------------------------------------------

# The folder of the sockets is ours alone, so nobody else's daemon is met and
# no rank of ours finds another one.
daemon_start() {
	local dir=$BENCH_TMP/run
	mkdir -p "$dir"
	rm -f "$BENCH_TMP/ready"	# of one before
	export SNOO_SOCKET=$dir/default.sock SNOO_ADMIN=$dir/admin.sock
	"$B/bin/snoo-daemon" --runtime-dir "$dir" --no-keeper --exit-with-parent \
		--ready-fd 3 "$@" 3>"$BENCH_TMP/ready" 2>"$BENCH_TMP/daemon.log" &
	DAEMON_PID=$!
	until [[ -s $BENCH_TMP/ready ]]; do
		kill -0 "$DAEMON_PID" 2>/dev/null || {
			sed 's/^/  /' "$BENCH_TMP/daemon.log" >&2
			die "snoo-daemon did not start"
		}
		sleep 0.05
	done
}

daemon_stop() {
	[[ -n $DAEMON_PID ]] || return 0
	kill "$DAEMON_PID" 2>/dev/null
	wait "$DAEMON_PID" 2>/dev/null
	DAEMON_PID=
}

snoo_run() {
	local n=$1
	shift
	timeout -k 5 "$LIMIT" "$B/bin/snoorun" -n "$n" \
		--socket "$SNOO_SOCKET" --no-prefix \
		${ON_CORE:+--core-list "$ON_CORE"} -- "$@"
}

# What decides a message's path: the register's capacity, which is that of a
# line; how much goes in a run of lines where the ring has room; and what the
# running daemon tells its ranks.
switch_points() {
	local all
	all=$("$B/bin/snooctl" --json config 2>/dev/null) || all='{}'
	REGISTER_MAX=56
	LINES_MAX=512
	BLOCK_MAX=$(jq -r '
		def first(f): [.. | objects | f | numbers] | .[0];
		[first(.eager_bytes) // 65536,
		 first(.block_bytes? | objects | .large) // 65536] | min' <<<"$all")
}
# path_of BYTES
path_of() {
	if (($1 <= REGISTER_MAX)); then
		echo register
	elif (($1 <= LINES_MAX)); then
		echo lines
	elif (($1 <= BLOCK_MAX)); then
		echo block
	else
		echo streamed
	fi
}

# ---- where and how -----------------------------------------------------------

machine_json() {
	local model cores kernel virt huge
	model=$(awk -F': *' '/^(model name|Model Name|cpu model)/ { print $2; exit }' /proc/cpuinfo)
	cores=$(nproc)
	kernel=$(uname -r)
	virt=$(grep -qw hypervisor /proc/cpuinfo && echo "virtual machine" || echo "bare metal")
	huge=$(awk '/^HugePages_Total/ { print $2 }' /proc/meminfo)
	jq -n --arg cpu "${model:-unknown}" --arg arch "$(uname -m)" \
		--argjson cores "$cores" --arg kernel "$kernel" --arg kind "$virt" \
		--argjson huge "${huge:-0}" --arg load "$(cut -d' ' -f1-3 /proc/loadavg)" \
		--arg date "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
		'{cpu: $cpu, arch: $arch, cores: $cores, kernel: $kernel, kind: $kind,
		  huge_pages_2m: $huge, load_before: $load, date: $date}'
}

first_cores() {
	local list part n
	list=$(taskset -cp $$)
	list=${list##*: }
	for part in ${list//,/ }; do
		for ((n = ${part%-*}; n <= ${part#*-}; n++)); do
			printf '%d\n' "$n"
		done
	done | head -n "$1"
}

# For people; a machine that does something else measures that, too.
machine_line() {
	jq -r '"  machine  \(.cpu), \(.cores) cores, \(.kind), Linux \(.kernel), "
		+ "load \(.load_before | split(" ")[0]) before"' <<<"$1"
}
