#!/bin/bash
# SPDX-License-Identifier: MIT
# examples-containers.sh - the containerised pair: two ranks that share no namespace
# timeout: 120
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

export B=${B:-build}
EX=$B/examples
pair=examples/container-pair/run.sh
[[ -x $B/bin/snoo-daemon && -x $EX/hello ]] ||
	skip_all "snoo-daemon or the examples are not built"
unset SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
unshare --user --map-root-user --pid --fork --mount --ipc \
	sh -c 'mount -t proc proc /proc && mount -t tmpfs tmpfs /run' 2>/dev/null ||
	skip_all "namespaces cannot be made here"
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
EX=$(cd "$EX" && pwd)

out=$("$pair" "$EX/hello" 2>&1)
is "hello ends well" "$?" 0
like "rank 0 is user 1000 of its container and its first process" "$out" \
	'rank 0: uid 1000, pid 1, '
like "rank 1 is user 2000 of its container and its first process" "$out" \
	'rank 1: uid 2000, pid 1, '
like "the message went from one to the other" "$out" 'rank 1 of 2: got 42'
spaces=$(grep -o 'pid:\[[0-9]*\]' <<<"$out" | sort -u | wc -l)
is "they have PID namespaces of their own" "$spaces" 2
fails "and neither is ours" grep -qF "$(readlink /proc/self/ns/pid)" <<<"$out"

out=$("$pair" "$EX/pingpong" 2>&1)
is "pingpong ends well, through lines and blocks" \
	"$?:$(grep -cE '^ +[0-9]+ +[0-9.]+$' <<<"$out")" "0:11"
fails "a program that fails makes the script fail" "$pair" false
ok "nothing is left in the folder for temporary files" test -z "$(ls -A "$TMPDIR")"

done_testing
