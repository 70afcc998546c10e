# SPDX-License-Identifier: MIT
# lib.sh - what the benchmark scripts share: a daemon of our own, the peers, the machine
# shellcheck shell=bash disable=SC2034
#
#   bench_begin              scratch folder; all that was started ends with us
#   daemon_start [OPTION...] a private snoo-daemon for the programs of ours
#   daemon_stop
#   snoo_run N PROGRAM...    N pinned ranks over that daemon
#   mpich_find, openmpi_find is it installed?  0 or 1; says so in *_WHY
#   mpi_cc NAME OUT FLAGS    compile our sources against it
#   mpi_run NAME N PROGRAM   N ranks in its best setting
#   machine_json             what we run on
#   machine_line JSON        the same for people
#   settings_json            how the peers are set
#   switch_points            sets REGISTER_MAX, LINES_MAX and BLOCK_MAX
#
# Environment: B, the build folder.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
B=${B:-build}
[[ $B == /* ]] || B=$TOP/$B
LIMIT=${BENCH_LIMIT_S:-120}	# seconds that one program may run
BENCH_TMP=
DAEMON_PID=
export LC_ALL=C

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

bench_end() {
	local status=$?
	trap - EXIT INT TERM
	daemon_stop
	[[ -n $BENCH_TMP ]] && rm -rf "$BENCH_TMP"
	exit "$status"
}

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
		--socket "$SNOO_SOCKET" --no-prefix -- "$@"
}

# What decides a message's path: the register's capacity, which is that of a
# line; how much goes in a run of lines where the ring has room; and what the
# running daemon tells its ranks.
switch_points() {
	local all
	all=$("$B/bin/snooctl" --json config 2>/dev/null) || all='{}'
	REGISTER_MAX=56
	LINES_MAX=1024
	BLOCK_MAX=$(jq -r '
		def first(f): [.. | objects | f | numbers] | .[0];
		[first(.eager_bytes) // 16384,
		 first(.block_bytes? | objects | .small) // 16384] | min' <<<"$all")
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

# ---- the peers ---------------------------------------------------------------

MPICH_WHY=
OPENMPI_WHY=

# find KIND: the compiler wrapper and launcher, under Debian's names or plain.
mpi_tool() {
	local kind=$1 tool=$2 p
	for p in "$tool.$kind" "$tool"; do
		command -v "$p" >/dev/null || continue
		[[ $p == "$tool.$kind" ]] ||
			"$p" --version 2>&1 | mpi_is "$kind" ||
			"$p" -show 2>&1 | mpi_is "$kind" || continue
		printf '%s\n' "$p"
		return 0
	done
	return 1
}
mpi_is() {
	case $1 in
	mpich) grep -qiE 'mpich|hydra' ;;
	openmpi) grep -qiE 'open.?mpi|open.?rte' ;;
	esac
}

mpich_find() {
	MPICH_CC=$(mpi_tool mpich mpicc) && MPICH_RUN=$(mpi_tool mpich mpiexec) ||
		MPICH_WHY="MPICH is not installed (Debian: mpich libmpich-dev)"
	[[ -z $MPICH_WHY ]]
}
openmpi_find() {
	OPENMPI_CC=$(mpi_tool openmpi mpicc) && OPENMPI_RUN=$(mpi_tool openmpi mpiexec) ||
		OPENMPI_WHY="Open MPI is not installed (Debian: openmpi-bin libopenmpi-dev)"
	[[ -z $OPENMPI_WHY ]]
}

# The flags of our own programs.  (MPICH's MPI_STATUSES_IGNORE is no array that
# gcc would like, hence the one warning less.)
mpi_cc() {
	local kind=$1 out=$2 cc=MPICH_CC
	[[ $kind == openmpi ]] && cc=OPENMPI_CC
	shift 2
	mkdir -p "$(dirname "$out")"
	(cd "$TOP" && "${!cc}" -std=c11 -D_GNU_SOURCE -Iinclude -I. -O2 -g \
		-Wall -Wextra -Wno-stringop-overflow "$@" -o "$out" -lm)
}

# Pinned one rank a core, and kernel-assisted single copy where they use it
# (UCX's and vader's default; ptrace must be allowed between the ranks, which
# it is for processes of one user unless Yama forbids it).
MPICH_SETTING='mpiexec -bind-to core'
OPENMPI_SETTING='mpiexec --bind-to core --mca btl vader,self --mca pml ob1'
mpi_run() {
	local kind=$1 n=$2 cores over=()
	shift 2
	cores=$(nproc)
	if [[ $kind == mpich ]]; then
		timeout -k 5 "$LIMIT" "$MPICH_RUN" -n "$n" -bind-to core "$@"
	else
		((n > cores)) && over=(--oversubscribe --bind-to none)
		((n > cores)) || over=(--bind-to core)
		OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
			timeout -k 5 "$LIMIT" "$OPENMPI_RUN" -n "$n" "${over[@]}" \
			--mca btl vader,self --mca pml ob1 "$@"
	fi
}

# ---- where and how -----------------------------------------------------------

# CMA works if ptrace of a process of the same user does.
cma_state() {
	local yama=/proc/sys/kernel/yama/ptrace_scope
	if [[ $(id -u) == 0 || ! -r $yama || $(<"$yama") == 0 ]]; then
		printf 'on\n'
	else
		printf 'off: kernel.yama.ptrace_scope is %s\n' "$(<"$yama")"
	fi
}

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

# For people; a machine that does something else measures that, too.
machine_line() {
	jq -r '"  machine  \(.cpu), \(.cores) cores, \(.kind), Linux \(.kernel), "
		+ "load \(.load_before | split(" ")[0]) before"' <<<"$1"
}

peer_version() {
	case $1 in
	mpich) "$MPICH_RUN" --version 2>/dev/null |
		awk '/Version:/ { print "MPICH " $2; exit }' ;;
	openmpi) "$OPENMPI_RUN" --version 2>/dev/null |
		awk 'NR == 1 { print "Open MPI " $NF }' ;;
	esac
}

settings_json() {
	local mpich='' openmpi=''
	[[ -z $MPICH_WHY && -n ${MPICH_RUN:-} ]] &&
		mpich="$(peer_version mpich), $MPICH_SETTING, CMA $(cma_state)${UCX_TLS:+, UCX_TLS=$UCX_TLS}"
	[[ -z $OPENMPI_WHY && -n ${OPENMPI_RUN:-} ]] &&
		openmpi="$(peer_version openmpi), $OPENMPI_SETTING, CMA $(cma_state)"
	jq -n --arg snoo "SNOO $(awk '/define SNOO_VERSION_M/ { v = v s $3; s = "." } END { print v }' \
		"$TOP/include/snoo/snoo.h"), private snoo-daemon, ranks pinned by it" \
		--arg mpich "${mpich:-skipped: $MPICH_WHY}" \
		--arg openmpi "${openmpi:-skipped: $OPENMPI_WHY}" \
		'{snoo: $snoo, mpich: $mpich, openmpi: $openmpi}'
}
