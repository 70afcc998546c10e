#!/bin/bash
# SPDX-License-Identifier: MIT
# snoorun-ranks.sh - what ranks get, what becomes of their output and exit codes
# timeout: 120
# shellcheck disable=SC2016
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin}
[[ -x $BIN/snoorun && -x $BIN/snoo-daemon ]] || skip_all "snoorun or snoo-daemon is not built"
unset SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir

# run OPTION...: a private daemon, so that one that runs has no part in this
run() {
	"$BIN/snoorun" --private --pool-size 8M --timeout 60 "$@"
}
rc() {
	"$@" >/dev/null 2>&1
	echo $?
}

# ---- environment
out=$(run -n 3 sh -c 'echo "$SNOO_RANK/$SNOO_SIZE ${SNOO_JOB-none} ${SNOO_CORE-none}"' | sort)
is "each rank knows its number and how many there are" "$out" \
	$'0/3 none none\n1/3 none none\n2/3 none none'
out=$(SNOO_RANK=9 SNOO_JOB=outer SNOO_CORE=7 run -n 1 sh -c 'echo "$SNOO_RANK ${SNOO_JOB-none} ${SNOO_CORE-none}"')
is "what an outer launcher said does not reach a rank" "$out" "0 none none"
out=$(run -n 2 --name solver sh -c 'echo "$SNOO_JOB"')
is "--name reaches the ranks" "$out" $'solver\nsolver'
out=$(run -n 5 --core-list 0,2-3 sh -c 'echo "$SNOO_RANK:$SNOO_CORE"' | sort | tr '\n' ' ')
is "a core list starts over" "$out" "0:0 1:2 2:3 3:0 4:2 "
a=$(run -n 2 sh -c 'echo "$SNOO_LAUNCH"')
b=$(run -n 2 sh -c 'echo "$SNOO_LAUNCH"')
is "ranks of one run share a launch number" "$(sort -u <<<"$a" | wc -l)" 1
like "it has 64 bits" "$(head -n 1 <<<"$a")" '^[0-9a-f]{16}$'
ok "no other run has it" test "$a" != "$b"
out=$(run -n 2 sh -c '[ -S "$SNOO_SOCKET" ] && echo "$SNOO_SOCKET"' | sort -u)
like "the socket is that of the private daemon" "$out" "^$dir/snoorun-.*/default\.sock$"
out=$(run -n 1 --domain lab.a sh -c 'basename "$SNOO_SOCKET"')
is "a domain of another name" "$out" "lab.a.sock"

# ---- input
out=$(echo typed | run -n 3 sh -c 'echo "$SNOO_RANK:$(cat)"' | sort | tr '\n' ' ')
is "rank 0 reads our input, the others read nothing" "$out" "0:typed 1: 2: "

# ---- output
out=$(run -n 2 --prefix sh -c 'echo a; printf b; echo c >&2' 2>"$dir/err" | sort)
is "lines have prefixes, a last line without its end is completed" "$out" \
	$'[0] a\n[0] b\n[1] a\n[1] b'
is "errors go to our errors" "$(sort "$dir/err")" $'[0] c\n[1] c'
is "no prefix if the output is no terminal" "$(run -n 1 echo a)" a

run -n 4 --prefix sh -c 'i=0; while [ $i -lt 3000 ]; do
	echo "$SNOO_RANK:$i:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	i=$((i + 1)); done' >"$dir/out"
is "no line is lost" "$(wc -l <"$dir/out")" 12000
is "no line is mixed with another" \
	"$(grep -cvE '^\[([0-3])\] \1:[0-9]+:x{49}$' "$dir/out")" 0
is "the lines of one rank keep their order" \
	"$(for r in 0 1 2 3; do sed -n "s/^\[$r\] $r:\([0-9]*\):.*/\1/p" "$dir/out" | sort -nc && echo "$r"; done | tr '\n' ' ')" \
	"0 1 2 3 "
len=$(run -n 1 --prefix head -c 300000 /dev/zero | tr -d '\n' | tr '\0' x | wc -c)
ok "a line longer than any buffer arrives whole" test "$len" -ge 300000
timeout 60 "$BIN/snoorun" --private --pool-size 8M -n 2 --prefix yes 2>/dev/null | head -n 2 >/dev/null
ok "ranks end when nobody reads their output" test "${PIPESTATUS[0]}" -eq 141

# ---- exit codes
is "all well is 0" "$(rc run -n 3 true)" 0
is "the failing rank's code is ours" \
	"$(rc run -n 3 sh -c '[ "$SNOO_RANK" = 1 ] && exit 7; exec sleep 100')" 7
is "a killed rank is 128 and the signal" \
	"$(rc run -n 2 sh -c '[ "$SNOO_RANK" = 1 ] && kill -KILL $$; exec sleep 100')" 137
is "the first failure counts" \
	"$(rc run -n 2 sh -c '[ "$SNOO_RANK" = 1 ] && exit 3; trap "exit 9" TERM; sleep 100 & wait')" 3
is "a rank that ignores SIGTERM is killed" \
	"$(rc run -n 2 sh -c '[ "$SNOO_RANK" = 1 ] && exit 4; trap "" TERM; while :; do sleep 1; done')" 4
err=$(run -n 2 sh -c '[ "$SNOO_RANK" = 1 ] && exit 7; exec sleep 100' 2>&1)
like "it says which rank failed" "$err" 'rank 1 ended with code 7; ending the other 1'
is "a time limit" "$(rc "$BIN/snoorun" --private --pool-size 8M -n 2 -t 0.2 sleep 100)" 124
is "no such program" "$(rc run -n 2 "$dir/nope")" 127
like "is said once" "$(run -n 3 "$dir/nope" 2>&1)" "^snoorun: cannot run $dir/nope: No such file or directory$"
is "a program that may not be run" "$(rc run -n 2 "$dir")" 126

# ---- usage
for bad in "-n 0 true" "-n x true" "-n 4097 true" "-n 1" "true" \
	   "-n 1 -c 3-1 true" "-n 1 -c 1024 true" "-n 1 -c 1, true" \
	   "-n 1 --name a/b true" "-n 1 --domain .. true" \
	   "-n 1 --place middle true" "-n 1 -t -1 true" \
	   "-n 1 --private --socket /x true" "-n 1 --bogus true"; do
	# shellcheck disable=SC2086
	is "usage: $bad" "$(rc "$BIN/snoorun" $bad)" 2
done
is "options behind the program are the program's" "$(run -n 1 echo -n 5 --help)" "5 --help"

is "nothing is left over" "$(find "$dir" -name 'snoorun-*')" ""
done_testing
