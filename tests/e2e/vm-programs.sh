#!/bin/bash
# SPDX-License-Identifier: MIT
# vm-programs.sh - snoorun --on: programs in VMs, and who can start none
#
# The VM is a guest daemon on this host that speaks to the ivshmem sockets
# itself.  What it starts is started as in a VM; the kernel is the same one.
# timeout: 180
# shellcheck disable=SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/e2e.sh

((EUID == 0)) || skip_all "programs run as another user: this needs root"
[[ -x /usr/bin/dash ]] || skip_all "/usr/bin/dash is missing"
NOBODY=$(id -u nobody)
ADMIN=65533
SH=/usr/bin/dash

# guest N [OPTION...]: a VM's daemon in $D/gN; $(guest_pid N)
declare -A guest_keeper=()
guest() {
	local n=$1 dir=$D/g$1
	shift
	mkdir -m 755 "$dir"
	[[ ${SAN:-} == *address* ]] && set -- "$@" --set seccomp=off
	"$BIN/snoo-daemon" --runtime-dir "$dir" --set role=guest \
		--set guest.data_device="$D/default.ivshmem.sock" \
		--set guest.control_device="$D/default.control.sock" \
		--set domains.default.socket.mode=0666 "$@" \
		>>"$dir/log" 2>&1 </dev/null &
	guest_keeper[$n]=$!
	started+=("$!")
}
guest_pid() {
	cat "$D/g$1/default.lock" 2>/dev/null
}
guest_end() {
	kill -TERM "${guest_keeper[$1]}"
	eventually e2e_ended "${guest_keeper[$1]}"
}
# Does it start programs?
starts() {
	[[ $(on "$1:1" $SH -c 'echo yes' 2>/dev/null) == yes ]]
}
# on LIST OPTION... PROGRAM...
on() {
	timeout -k 5 60 "$BIN/snoorun" --socket "$SOCKET" --no-prefix --on "$@"
}
# says NAME STATUS REGEX COMMAND...: as run_ends, also of our functions
says() {
	local name=$1 want=$2 re=$3 out rc
	shift 3
	out=$("$@" 2>&1 </dev/null)
	rc=$?
	if [[ $rc == "$want" && $out =~ $re ]]; then
		pass "$name"
	else
		fail "$name" "status $rc instead of $want from: $*
$out
not like: $re"
	fi
}
rc() {
	"$@" >/dev/null 2>&1
	echo $?
}
# What a program in the "VM" leaves behind, as its user.
mkdir -m 1777 "$D/left"
programs() {
	pgrep -u nobody -f "$1" | wc -l
}
no_programs() {
	(($(programs "$1") == 0))
}

# The same paths for the host and for the VM: programs and their library.
cp -r "$B/examples" "$D/examples"
cp -r "$B/lib" "$D/lib"
cp "$E2E/stream" "$D/stream"
chown -R root:root "$D/examples" "$D/lib" "$D/stream"
chmod -R go-w "$D/examples" "$D/lib" "$D/stream"
list="[\"$SH\",\"/usr/bin/cat\",\"$D/examples/ring\",\"$D/examples/hello\",\"$D/stream\",\"$D/link\",\"$D/script\",\"$D/mine\",\"$D/none\"]"
ln -s examples/hello "$D/link"
printf '#!/bin/sh\ntouch %s/left/script\n' "$D" >"$D/script"
cp "$D/examples/hello" "$D/mine"
chmod 755 "$D/script"
chown nobody "$D/mine"

daemon_start --pool-size 16M --set domains.default.ivshmem.slots=4 \
	--set domains.default.socket.mode=0666 \
	--set "domains.default.admins.uids=[$ADMIN]"
guest 1 --set "guest.run.programs=$list" --set guest.run.user=nobody \
	--set 'guest.run.env=["LISTED","GIVEN=by the VM"]' \
	--set guest.run.limits.nofile=77
ok "a VM comes" eventually starts vm-1
bystander_start

# ---- ranks on both sides
out=$(on host:1,vm-1:2 "$D/examples/ring" 2>&1)
is "a job across host and VM ends well" "$?" 0
like "and all ranks were in it" "$out" '[^0-9]3[^0-9]'
like "ranks of the VM are numbered in the list's order" \
	"$(on vm-1:1,host:1,vm-1:1 $SH -c 'echo "$SNOO_RANK/$SNOO_SIZE $(/usr/bin/id -u)"' | sort | tr '\n' ' ')" \
	"^0/3 $NOBODY 1/3 0 2/3 $NOBODY $"
is "they share a launch number" \
	"$(on host:2,vm-1:2 $SH -c 'echo "$SNOO_LAUNCH"' | sort -u | wc -l)" 1
out=$(timeout 60 "$BIN/snoorun" --socket "$SOCKET" --prefix --on host:1,vm-1:2 $SH -c 'echo line; echo more' | sort)
is "lines have prefixes, wherever they come from" "$out" \
	$'[0] line\n[0] more\n[1] line\n[1] more\n[2] line\n[2] more'
bystander_moves "beside programs in a VM"

# ---- what a program in a VM has
out=$(LISTED=a OTHER=b on vm-1:1 --name jobs -x LISTED -x OTHER -x GIVEN=mine $SH -c \
	'/usr/bin/tr "\0" "\n" </proc/$$/environ | /usr/bin/sort; pwd; ulimit -n; ulimit -c')
is "its environment is what the VM lists, and the launcher's own" "$out" \
	"GIVEN=by the VM
LISTED=a
SNOO_JOB=jobs
$(grep -o 'SNOO_LAUNCH=.*' <<<"$out")
SNOO_RANK=0
SNOO_SIZE=1
SNOO_SOCKET=$D/g1/default.sock
/
77
0"
is "it has none of the daemon's limits" \
	"$(on vm-1:1 $SH -c '/usr/bin/grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status' | tr -d '\t\n')" \
	"$(grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t\n')"
runner=$(on vm-1:1 $SH -c 'echo $PPID')
ok "what starts it is not the daemon" test "$runner" -gt 1 -a "$runner" != "$(guest_pid 1)"
is "and has neither pool nor device open" \
	"$(readlink "/proc/$runner/fd/"* | grep -cvE '^(socket:|anon_inode:\[signalfd\]|/dev/null|.*/g1/log)')" 0
is "rank 0 reads our input" "$(seq 1 100000 | on vm-1:1,host:1 /usr/bin/cat | md5sum)" \
	"$(seq 1 100000 | md5sum)"
is "and its end" "$(on vm-1:1 /usr/bin/cat </dev/null | wc -c)" 0

# ---- output
big='/usr/bin/seq 1 1500000'
is "10 MiB arrive as they were written" "$(on vm-1:1 $SH -c "$big" | md5sum)" "$($big | md5sum)"
is "with prefixes, too" \
	"$(timeout 60 "$BIN/snoorun" --socket "$SOCKET" --prefix --on vm-1:1 $SH -c "$big" | sed 's/^\[0\] //' | md5sum)" \
	"$($big | md5sum)"
on vm-1:1 $SH -c "$big >&2; echo out" 2>"$D/err" >"$D/out"
is "errors go to our errors" "$(md5sum <"$D/err")" "$($big | md5sum)"
is "and output to our output" "$(<"$D/out")" out
on vm-1:1 $SH -c 'exec /usr/bin/yes' 2>/dev/null | head -n 2 >/dev/null
is "a program ends when nobody reads its output" "${PIPESTATUS[0]}" 141
bystander_moves "after much output"

# ---- exit codes
is "all well is 0" "$(rc on host:1,vm-1:2 $SH -c 'exit 0')" 0
is "the failing rank's code is ours" \
	"$(rc on host:1,vm-1:2 $SH -c '[ "$SNOO_RANK" = 2 ] && exit 7; exec /usr/bin/sleep 100')" 7
is "a killed rank is 128 and the signal" \
	"$(rc on vm-1:1,host:1 $SH -c '[ "$SNOO_RANK" = 0 ] && kill -KILL $$; exec /usr/bin/sleep 100')" 137
like "it says which, and where" \
	"$(on host:1,vm-1:1 $SH -c '[ "$SNOO_RANK" = 1 ] && exit 9; exec /usr/bin/sleep 100' 2>&1)" \
	'rank 1 in vm-1 ended with code 9; ending the other 1'
is "a time limit" "$(rc on vm-1:2 -t 0.5 $SH -c 'exec /usr/bin/sleep 1000')" 124
ok "nothing of it is left" eventually no_programs 'sleep 1000'

# ---- what is refused
says "a program that is not listed" 126 "not in this VM's guest.run.programs" \
	on host:1,vm-1:1 /usr/bin/id
says "a listed one by another path" 126 "must not have \. or \.\." \
	on vm-1:1 "$D/lib/../examples/hello"
says "a link" 126 "is a symbolic link" on vm-1:1 "$D/link"
says "a script" 126 "is a script" on vm-1:1 "$D/script"
says "one that is not root's" 126 "is not root's" on vm-1:1 "$D/mine"
says "one that is not there" 127 "No such file" on vm-1:1 "$D/none"
says "a VM that is not there" 125 'no VM "vm-9"; attached: vm-1' on host:1,vm-9:1 $SH -c 'exec sleep 100'
says "no path at all" 2 "absolute path" on vm-1:1 dash
says "a private daemon has no VMs" 2 "private" \
	"$BIN/snoorun" --private --on vm-1:1 $SH
for list in "" vm-1: vm-1:0 vm-1:x ,vm-1 "vm-1," vm-1:1:1 host:1025; do
	is "usage: --on '$list'" "$(rc on "$list" $SH)" 2
done
ok "no link, script or stranger's program was started" test -z "$(ls "$D/left")"

# ---- who may ask
as() {
	local uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups -- timeout 60 \
		"$BIN/snoorun" --socket "$SOCKET" --no-prefix "$@"
}
if setpriv --reuid="$NOBODY" --clear-groups test -x "$BIN/snoorun"; then
	says "who is no admin of the domain may not" 126 \
		'admins\.uids or \.gids' as "$NOBODY" --on vm-1:1 $SH -c 'echo started'
	says "an admin may" 0 "^started$" as $ADMIN --on vm-1:1 $SH -c 'echo started'
	like "the VM's log says who" "$(tail -n 3 "$D/g1/log")" "program started .*uid=$ADMIN"
else
	skip "who is no admin may not" "the build folder is not readable"
fi
like "each refusal is in the VM's log" "$(<"$D/g1/log")" \
	'program refused .*program="/usr/bin/id" reason="/usr/bin/id is not'

# ---- a VM that starts nothing, which is what nobody has asked for
guest 2
says_no() {
	on vm-2:1 $SH 2>&1 | grep -q guest.run
}
ok "another VM comes" eventually says_no
says "it says what to set" 125 'guest\.run\.programs' on host:1,vm-2:1 $SH -c 'exec sleep 100'
guest_end 2

# ---- the end of it
# start SCRIPT OUT: in the background; $run
begin() {
	env --default-signal=INT "$BIN/snoorun" --socket "$SOCKET" --no-prefix \
		--on host:1,vm-1:2 $SH -c "$1" >"$2" 2>"$D/err" </dev/null &
	run=$!
	started+=("$run")
}
up() {
	(($(grep -c up "$1") == 3))
}
begin 'echo up; exec /usr/bin/sleep 1001' "$D/out"
ok "three ranks are up" eventually up "$D/out"
kill -INT "$run"
wait "$run"
is "SIGINT ends all of them" "$?" 130
is "and is no news" "$(<"$D/err")" ""
ok "none is left" eventually no_programs 'sleep 1001'

begin 'trap "echo got" USR1; echo up; n=0; while [ $n -lt 100 ]; do /usr/bin/sleep 0.05; n=$((n + 1)); done' "$D/out"
eventually up "$D/out"
kill -USR1 "$run"
got() {
	(($(grep -c got "$D/out") == 3))
}
ok "SIGUSR1 reaches every rank" eventually got
kill -TERM "$run"
wait "$run"
is "SIGTERM ends them" "$?" 143

begin 'echo up; exec /usr/bin/sleep 1003' "$D/out"
eventually up "$D/out"
: >"$D/g1/log"
kill -KILL "$run"
wait "$run"
# By SIGTERM, and not by SIGKILL that comes two seconds later.
terminated() {
	(($(grep -c 'program ended .* signal=15 reason=' "$D/g1/log") == 2))
}
ok "snoorun is killed: its programs get SIGTERM" eventually terminated

# ---- the guest daemon is killed while a program writes
guest_was=$(guest_pid 1)
begin 'echo up; i=0; while [ $i -lt 4000 ]; do echo "$SNOO_RANK $i"; i=$((i + 1)); case $i in *00) /usr/bin/sleep 0.02;; esac; done' "$D/out"
for n in 500 1500 2500; do
	reached() {
		grep -q "^1 $n\$" "$D/out"
	}
	eventually reached
	kill -KILL "$(guest_pid 1)"
	ok "after $n lines: the guest daemon is killed, and comes back" eventually starts vm-1
done
wait "$run"
is "its programs end well" "$?" 0
ok "another process serves" test "$(guest_pid 1)" != "$guest_was"
for r in 1 2; do
	is "no line of rank $r is lost, none comes twice" \
		"$(sed -n "s/^$r //p" "$D/out" | md5sum)" "$(seq 0 3999 | md5sum)"
done
is "programs are started as before" "$(on vm-1:1 $SH -c 'echo yes')" yes
bystander_moves "when the guest daemon was killed"

# ---- the daemon of the host is killed
begin 'echo up; exec /usr/bin/sleep 1004' "$D/out"
eventually up "$D/out"
: >"$D/g1/log"
kill -KILL "$(daemon_worker)"
wait "$run"
is "the daemon is killed: the run fails" "$?" 125
like "and says why" "$(<"$D/err")" 'rank [12] in vm-1: the daemon has ended or was restarted'
ok "programs in VMs get SIGTERM from the next one" eventually terminated
ok "the VM is back" eventually starts vm-1
is "programs are started as before" "$(on vm-1:1 $SH -c 'echo yes')" yes
bystander_moves "when the daemon was killed"

# ---- records that nobody said
# Whoever writes all over the pool spoils messages of its domain.
bystander_end
# A RUN as it would stand in a ring: head, uid, argc, envc, bytes, words.
words=$SH$'\1-c\1'"/usr/bin/touch $D/left/forged"$'\1'
le() {
	printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}
{
	# shellcheck disable=SC2059
	printf "$(le $((32 + ${#words})))$(le 69)$(le 5)$(le 0xffffffff)$(le 0)$(le 3)$(le 0)$(le ${#words})"
	printf '%s' "$words" | tr '\1' '\0'
} >"$D/forged"
fd_of() {
	local f
	for f in "/proc/$1/fd/"*; do
		[[ $(readlink "$f") == *"memfd:$2"* ]] && echo "$f" && return
	done
}
control=$(fd_of "$(guest_pid 1)" snoo-control)
pool=$(fd_of "$(guest_pid 1)" snoo)
if [[ -n $control && -n $pool ]]; then
	# Beyond what is published, in both rings; and all over the pool's end.
	for at in 0x60000 0x78000 0xa0000 0xb8000; do
		dd if="$D/forged" of="$control" bs=1 seek=$((at)) conv=notrunc status=none
	done
	size=$(stat -Lc %s "$pool")
	for ((i = 1; i <= 64; i++)); do
		dd if="$D/forged" of="$pool" bs=1 seek=$((size - i * 4096)) conv=notrunc status=none
	done
	is "a job goes on beside forged records" "$(rc on host:1,vm-1:1 "$D/examples/ring")" 0
	ok "none of them started anything" test ! -e "$D/left/forged"
	ok "the guest is still there" starts vm-1
else
	fail "the VM's memory is found" "$(ls -l "/proc/$(guest_pid 1)/fd")"
fi

# ---- the VM ends
begin 'echo up; exec /usr/bin/sleep 1002' "$D/out"
eventually up "$D/out"
worker=$(guest_pid 1)
kill -KILL "${guest_keeper[1]}"
kill -KILL "$worker"
wait "$run"
is "the VM ends: the run fails" "$?" 125
like "and says why" "$(<"$D/err")" 'VM "vm-1" has ended'
ok "its programs end with their runner's socket" eventually no_programs 'sleep 1002'
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
