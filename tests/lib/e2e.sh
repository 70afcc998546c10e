# SPDX-License-Identifier: MIT
# e2e.sh - a daemon of one's own, ranks, a bystander: . tests/lib/e2e.sh
# shellcheck shell=bash
#
#   daemon_start [OPTION...]  a private daemon in $D; $daemon_pid
#   daemon_stop               SIGTERM, wait; $daemon_status
#   daemon_worker             pid of the process that serves (not its keeper)
#   rank JOB RANK SIZE CMD... one rank in the background
#   job JOB SIZE CMD...       all ranks of a job in the background
#   finish JOB                wait for them; output in $D/JOB.RANK.out
#   status JOB RANK           how that rank ended; text JOB RANK: what it said
#   bystander_start           two ranks with a verified stream, at rest for
#                             most of the time
#   bystander_moves WHEN      a test: the stream goes on
#   bystander_end             a test: told to end, it has verified everything
#   admin VERB...             what snooctl says, as JSON
#   books_balance NAME [USE]  a test: the pool's memory is free again
#   ends NAME JOB RANK STATUS REGEX        a test: how a rank ended
#   run_ends NAME STATUS REGEX COMMAND...  a test: how a command ends
#   eventually COMMAND...     until it succeeds, or E2E_WAIT_S have passed
#
# All that was started here ends with the script, by pid; $D is removed.
# Needs BIN and E2E (folders of the build), from the Makefile.  E2E_DAEMON: more
# options for every daemon of the script, before the script's own.

. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

: "${B:=build}"
: "${BIN:=$PWD/$B/bin}"
: "${E2E:=$PWD/$B/e2e}"
E2E_WAIT_S=${E2E_WAIT_S:-20}
export PROOF_ALARM_S=${PROOF_ALARM_S:-60}

# What a starter around us may have set must not reach our ranks.
unset SNOO_SOCKET SNOO_DOMAIN SNOO_JOB SNOO_RANK SNOO_SIZE SNOO_LAUNCH \
	SNOO_CORE SNOO_TIMEOUT_MS PMI_RANK PMI_SIZE SLURM_PROCID SLURM_NTASKS \
	OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE NOTIFY_SOCKET

# Short: a socket's path has at most 107 bytes.
D=$(mktemp -d /tmp/snoo-e2e.XXXXXX)
chmod 755 "$D"
SOCKET=$D/default.sock
declare -A pid_of=() status_of=()
declare -a started=()
daemon_pid=
daemon_status=

# A process and, if it leads a session, what it has started.
e2e_kill() {
	kill "-$1" "$2" 2>/dev/null
}

e2e_cleanup() {
	local p
	for p in "${started[@]}"; do
		e2e_kill KILL "$p"
	done
	if [[ -n $daemon_pid ]]; then
		e2e_kill TERM "$daemon_pid"
		eventually e2e_ended "$daemon_pid" || {
			p=$(daemon_worker)
			e2e_kill KILL "$daemon_pid"
			[[ -n $p ]] && e2e_kill KILL "$p"
		}
	fi
	wait 2>/dev/null
	[[ -n ${E2E_KEEP:-} ]] || rm -rf "$D"
}
trap e2e_cleanup EXIT
trap 'exit 130' INT TERM

# Has it ended, though nobody may have waited for it?
e2e_ended() {
	local s
	[[ -r /proc/$1/stat ]] || return 0
	s=$(<"/proc/$1/stat") 2>/dev/null || return 0
	s=${s##*) }
	[[ ${s:0:1} == [ZX] ]]
}

eventually() {
	local end=$((SECONDS + E2E_WAIT_S))
	until "$@"; do
		((SECONDS >= end)) && return 1
		sleep 0.02
	done
}

# turns PID...: how often they were put on a core, all threads together.  Exact:
# who blocks is not, while clock ticks round what little went before up to one.
turns() {
	local p
	for p; do
		cat "/proc/$p/task"/*/status
	done | awk '/ctxt_switches:/ { n += $2 } END { print n + 0 }'
}

# ---- the daemon ----

# daemon_launch COMMAND...: start it with a --ready-fd, wait for its word.
daemon_launch() {
	local line= part
	mkfifo "$D/ready"
	"$@" --ready-fd 9 9<>"$D/ready" >"$D/daemon.log" 2>&1 &
	daemon_pid=$!
	exec 8<>"$D/ready"
	# A read that ends in the middle of the word keeps what it has.
	until read -r -t 0.1 part <&8; do
		line+=$part
		e2e_ended "$daemon_pid" && break
	done
	line+=$part
	exec 8<&-
	rm -f "$D/ready"
	[[ $line == READY ]] && return
	printf '# the daemon did not come up, but said "%s":\n' "$line"
	sed 's/^/# /' "$D/daemon.log"
	! e2e_ended "$daemon_pid" || daemon_pid=
	return 1
}

daemon_start() {
	# The leak check at its end stops all threads by ptrace.
	[[ ${SAN:-} == *address* ]] && set -- "$@" --set seccomp=off
	# shellcheck disable=SC2086 # a list of words
	daemon_launch "$BIN/snoo-daemon" --runtime-dir "$D" \
		--set domains.default.pool.huge_pages=never \
		${E2E_DAEMON:-} "$@" || {
		fail "the daemon starts"
		done_testing
		exit 1
	}
}

daemon_stop() {
	e2e_kill TERM "$daemon_pid"
	eventually e2e_ended "$daemon_pid" || e2e_kill KILL "$daemon_pid"
	wait "$daemon_pid"
	# shellcheck disable=SC2034
	daemon_status=$?
	daemon_pid=
}

daemon_worker() {
	cat "$D/default.lock" 2>/dev/null
}

# ---- ranks ----

# on SOCKET COMMAND...: for a daemon elsewhere.
rank() {
	local job=$1 r=$2 size=$3
	shift 3
	SNOO_SOCKET=$SOCKET SNOO_JOB=$job SNOO_RANK=$r SNOO_SIZE=$size \
		"$@" >"$D/$job.$r.out" 2>&1 </dev/null &
	pid_of[$job.$r]=$!
	started+=("$!")
}

job() {
	local job=$1 size=$2 r
	shift 2
	for ((r = 0; r < size; r++)); do
		rank "$job" "$r" "$size" "$@"
	done
}

finish() {
	local key
	for key in "${!pid_of[@]}"; do
		[[ ${key%.*} == "$1" ]] || continue
		wait "${pid_of[$key]}" 2>/dev/null
		status_of[$key]=$?
		unset "pid_of[$key]"
	done
}

status() {
	printf '%s\n' "${status_of[$1.$2]:-?}"
}

# text JOB RANK: without what the sanitizers say of themselves.
text() {
	cat "$D/$1.$2.out"
}

# all_well NAME JOB SIZE: a test; every rank of the job has ended with 0.
all_well() {
	local r bad=
	finish "$2"
	for ((r = 0; r < $3; r++)); do
		[[ $(status "$2" "$r") == 0 ]] ||
			bad+="rank $r: status $(status "$2" "$r")"$'\n'"$(tail -n 5 "$D/$2.$r.out")"$'\n'
	done
	if [[ -z $bad ]]; then pass "$1"; else
		fail "$1" "$bad$(tail -n 10 "$D/daemon.log")"
	fi
}

# ---- the bystander ----

# counted FILE RANK [WORD]: messages that a stream's rank has received and
# verified; with WORD 1022 their bytes.
counted() {
	local n
	n=$(od -An -t u8 -j $((($2 * 1024 + ${3:-1023}) * 8)) -N 8 "$1" 2>/dev/null)
	printf '%d\n' "${n:-0}"
}

bystander_start() {
	rm -f "$D/bystander"
	# It runs beside all others: their limit is not for it.
	PROOF_ALARM_S=600 job bystander 2 "$E2E/stream" -u 300 -l 65536 -p "$D/bystander" "$@"
	bystander_moves "before"
}

bystander_beyond() {
	(($(counted "$D/bystander" 0) > $1 && $(counted "$D/bystander" 1) > $2))
}

bystander_moves() {
	local a b
	a=$(counted "$D/bystander" 0)
	b=$(counted "$D/bystander" 1)
	if eventually bystander_beyond $((${a:-0} + 20)) $((${b:-0} + 20)); then
		pass "bystander: its stream goes on: $1"
	else
		fail "bystander: its stream goes on: $1" \
			"$a and $b messages, then $(counted "$D/bystander" 0) and $(counted "$D/bystander" 1)
$(tail -n 3 "$D"/bystander.*.out)
$(tail -n 10 "$D/daemon.log")"
	fi
}

bystander_end() {
	bystander_moves "${1:-afterwards}"
	e2e_kill TERM "${pid_of[bystander.0]}"
	e2e_kill TERM "${pid_of[bystander.1]}"
	all_well "bystander: every message verified, no bell missed" \
		bystander 2
}

# ---- the admin socket ----

admin() {
	"$BIN/snooctl" --json --socket "$D/admin.sock" "$@"
}

# pool_use: bytes in use and bytes in quarantine of the default domain.
pool_use() {
	admin pool | jq -r '(.arenas[] | select(.domain == "default") |
		"\(.arena_bytes - .free_bytes)") + " " +
		"\(.quarantine | length)"'
}

pool_is() {
	[[ $(pool_use) == "$1" ]]
}

# books_balance NAME [USE]: a test; what is in use comes back to USE (nothing).
books_balance() {
	if eventually pool_is "${2:-0 0}"; then
		pass "$1"
	else
		fail "$1" "in use, quarantined: $(pool_use), not ${2:-0 0}
$(admin pool)
$(admin jobs)"
	fi
}

# ends NAME JOB RANK STATUS REGEX: a test; how a rank ended and what it said.
ends() {
	finish "$2"
	if [[ $(status "$2" "$3") == "$4" && $(text "$2" "$3") =~ $5 ]]; then
		pass "$1"
	else
		fail "$1" "status $(status "$2" "$3") instead of $4, text:
$(text "$2" "$3")
not like: $5"
	fi
}

# run_ends NAME STATUS REGEX COMMAND...: the same for any command.
run_ends() {
	local name=$1 want=$2 re=$3 out rc
	shift 3
	out=$(timeout -k 5 60 "$@" 2>&1 </dev/null)
	rc=$?
	if [[ $rc == "$want" && $out =~ $re ]]; then
		pass "$name"
	else
		fail "$name" "status $rc instead of $want from: $*
$out
not like: $re"
	fi
}
