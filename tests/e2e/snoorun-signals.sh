#!/bin/bash
# SPDX-License-Identifier: MIT
# snoorun-signals.sh - signals reach the ranks, and nothing outlives the run
# timeout: 120
# shellcheck disable=SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin}
[[ -x $BIN/snoorun && -x $BIN/snoo-daemon ]] || skip_all "snoorun or snoo-daemon is not built"
unset SNOO_SOCKET
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir

env=()
# start SCRIPT: two ranks that write "up" and their pid; returns once both have
start() {
	rm -f "$dir/fifo"
	mkfifo "$dir/fifo"
	# A shell's background job ignores SIGINT; our ranks must not.
	env --default-signal=INT "${env[@]}" "$BIN/snoorun" --private --pool-size 8M -n 2 --timeout 60 sh -c \
		"$1" >"$dir/fifo" 2>"$dir/err" &
	run=$!
	exec 7<"$dir/fifo"
	ranks=()
	local pid
	while ((${#ranks[@]} < 2)) && read -r -u 7 _ pid; do
		ranks+=("$pid")
	done
}
# finish: the run's exit code in $code
finish() {
	cat <&7 >/dev/null
	exec 7<&-
	wait "$run"
	code=$?
}
runs() {
	[[ $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) == [!ZX] ]]
}
pause() {
	read -r -t 0.05 <> <(:)
}
# gone PID...: true once none of them runs; the test's time limit ends the wait
gone() {
	local p
	for p; do
		while runs "$p"; do
			pause
		done
	done
	return 0
}
daemons() {
	local d n=0
	for d in "$dir"/snoorun-*; do
		[[ -d $d ]] && n=$((n + 1))
	done
	echo "$n"
}

sleeper='echo "up $$"; exec sleep 100'

for sig in INT TERM HUP; do
	start "$sleeper"
	kill -"$sig" "$run"
	finish
	is "SIG$sig ends the ranks" "$code" $((128 + $(kill -l "$sig")))
	is "SIG$sig is no news about a rank" "$(<"$dir/err")" ""
	ok "SIG$sig: no rank is left" gone "${ranks[@]}"
	is "SIG$sig: the private daemon and its directory are gone" "$(daemons)" 0
done

for sig in USR1 USR2; do
	start "trap 'echo got' $sig; echo \"up \$\$\"; while :; do sleep 0.05; done"
	kill -"$sig" "$run"
	read -r -u 7 a
	read -r -u 7 b
	is "SIG$sig reaches every rank, and they go on" "$a $b" "got got"
	kill -TERM "$run"
	finish
done

start 'trap "" INT; echo "up $$"; while :; do sleep 0.05; done'
while runs "$run"; do		# signals that wait are merged: go on asking
	kill -INT "$run"
	pause
done
finish
is "ranks that ignore SIGINT are killed when it comes again" "$code" 137
ok "they are gone" gone "${ranks[@]}"

start 'trap "" TERM; echo "up $$"; while :; do sleep 0.05; done'
kill -TERM "$run"
finish
is "ranks that ignore SIGTERM are killed" "$code" 137

env=(--ignore-signal=HUP)
start 'echo "up $$"; while :; do sleep 0.05; done'
env=()
kill -HUP "$run"
kill -HUP "$run"
kill -TERM "$run"
finish
is "a run behind nohup(1) does not mind SIGHUP" "$code" 143

# What a rank has started is in its process group.
start 'sleep 100 & echo "up $!"; wait'
kill -TERM "$run"
finish
ok "what a rank started ends with it" gone "${ranks[@]}"

start "$sleeper"
kill -STOP "${ranks[0]}"
kill -TERM "$run"
finish
ok "a stopped rank ends, too" gone "${ranks[@]}"

start "$sleeper"
daemon=$(pgrep -P "$run" -x snoo-daemon)
kill -KILL "$run"
finish
is "we are killed" "$code" 137
ok "our ranks die with us" gone "${ranks[@]}"
ok "so does the private daemon" gone "$daemon"
rm -rf "$dir"/snoorun-*

start "$sleeper"
daemon=$(pgrep -P "$run" -x snoo-daemon)
kill -KILL "$daemon"
finish
is "the private daemon is killed: the run ends" "$code" 125
like "and says why" "$(<"$dir/err")" "private daemon was killed by Killed"
ok "and its ranks" gone "${ranks[@]}"

start "$sleeper"
kill -SEGV "${ranks[1]}"
finish
is "a rank crashes" "$code" 139
like "we say which and how" "$(<"$dir/err")" "rank [01] was killed by signal 11 \(Segmentation fault\)"
is "nothing is left over" "$(daemons)" 0
done_testing
