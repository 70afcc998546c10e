#!/bin/bash
# SPDX-License-Identifier: MIT
# examples-programs.sh - the examples compile against the public headers and do what they say
# timeout: 180
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

B=${B:-build}
BIN=${BIN:-$B/bin}
EX=$B/examples
[[ -x $BIN/snoorun && -x $BIN/snoo-daemon && -x $EX/hello ]] ||
	skip_all "snoorun, snoo-daemon or the examples are not built"
unset SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir

run() {
	"$BIN/snoorun" --private --pool-size 16M --timeout 60 --no-prefix "$@" 2>&1
}

# ---- what an application has: the three installed headers, and no macro of ours
mkdir -p "$dir/include/snoo"
cp include/snoo/{snoo,snoo_mpi,error}.h "$dir/include/snoo"
compile() {
	"$1" -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
		-I"$dir/include" -c -o "$dir/example.o" "$2"
}
echo '#include <snoo/abi.h>' >"$dir/private.c"
fails "refused: a header that is not installed" compile "${CC:-cc}" "$dir/private.c"
for c in "${CC:-cc}" clang; do
	for f in examples/*.c; do
		if command -v "$c" >/dev/null; then
			ok "$f compiles with $c without a warning" compile "$c" "$f"
		else
			skip "$f compiles with $c without a warning" "no $c"
		fi
	done
done

# ---- hello
out=$(run -n 4 "$EX/hello" | sort)
is "hello: rank 0 greets three others" "$out" \
	$'rank 1 of 4: got 42\nrank 2 of 4: got 42\nrank 3 of 4: got 42'
out=$(run -n 1 "$EX/hello")
is "hello: alone it says nothing and ends" "$?:$out" "0:"
out=$(SNOO_SOCKET=$dir/none.sock "$EX/hello" 2>&1)
is "hello: without a daemon it fails" "$?" 1
like "hello: and says what to do" "$out" "no snoo-daemon at $dir/none.sock.*snoorun"

# ---- ring
for n in 1 2 3 5; do
	sum=$((3 * n * (n - 1) / 2))
	out=$(run -n "$n" "$EX/ring")
	is "ring: $n ranks" "$?:$out" "0:3 laps through $n ranks: $sum, expected $sum"
done

# ---- loan
out=$(run -n 2 "$EX/loan")
is "loan: rank 1 reads what rank 0 drew" "$?:$out" \
	"0:524288 of 1048576 dots are white"
out=$(run -n 1 "$EX/loan")
is "loan: alone it fails" "$?" 1

# ---- pingpong
out=$(run -n 2 "$EX/pingpong")
is "pingpong ends well" "$?" 0
is "pingpong: a line for each size" "$(awk 'NR > 1 { print $1 }' <<<"$out" | xargs)" \
	"1 4 16 64 256 1024 4096 16384 65536 262144 1048576"
ok "pingpong: every time is above zero" awk 'NR > 1 && !($2 > 0) { exit 1 }' <<<"$out"
out=$(run -n 3 "$EX/pingpong")
is "pingpong with three ranks fails" "$?" 1
like "and says why" "$out" 'runs with 2 ranks, not 3'

out=$(run -n 3 "$EX/pi" 100000)
is "pi ends well" "$?" 0
like "and is pi" "$out" 'pi is about 3\.14159265'
out=$(run -n 2 "$EX/pi" 0)
is "pi without steps fails" "$?" 1

done_testing
