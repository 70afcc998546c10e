#!/bin/bash
# SPDX-License-Identifier: MIT
# test_left_out.sh - tests/run.sh: what a list of left-out tests does, and not
cd "$(dirname "$0")/../../.." || exit 1
. tests/lib/tap.sh

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/tests"
cat >"$tmp/list" <<'END'
# NAME TEST REASON
some test_b nobody can do * that here
some test_d not this, either
whole * nothing of it can be done
END

# program NAME STATUS LINE...: prints those lines, exits with that status.
program() {
	local name=$tmp/tests/$1
	shift
	printf '#!/bin/sh\ntouch %s.ran\n' "$name" >"$name"
	printf "echo '%s'\n" "${@:2}" >>"$name"
	echo "exit $1" >>"$name"
	chmod +x "$name"
}
# Last line, without what the environment of this test says.
result() {
	env B="$tmp" RUNNER="${runner:-}" LEFT_OUT="$tmp/list" TESTS= BUILT=0 \
		tests/run.sh "unit:$tmp/tests/$1" >"$tmp/out"
	tail -n 1 "$tmp/out"
}

program some 1 1..3 'ok 1 - test_a' 'not ok 2 - test_b' 'ok 3 - test_c'
is "a failure that is on the list is a skip" "$(result some)" \
	"2 passed, 0 failed, 1 skipped"
like "its reason is shown" "$(cat "$tmp/out")" \
	'# SKIP test_b: nobody can do \* that here'
program some 2 1..3 'ok 1 - test_a' 'not ok 2 - test_b' 'not ok 3 - test_c'
is "another failure of that program stays one" "$(result some)" \
	"1 passed, 1 failed, 1 skipped"
program some 0 1..2 'ok 1 - test_a' 'ok 2 - test_b'
is "a test of the list that passes has passed" "$(result some)" \
	"2 passed, 0 failed, 0 skipped"
program some 3 1..2 'ok 1 - test_a' 'not ok 2 - test_b'
is "a status that the list does not explain is a failure" "$(result some)" \
	"1 passed, 1 failed, 1 skipped"
program some 139 1..2 'not ok 1 - test_b'
is "so is a crash" "$(result some)" "0 passed, 1 failed, 1 skipped"
program some 1 1..3 'ok 1 - test_a' 'not ok 2 - test_b'
is "so are results that did not come" "$(result some)" \
	"1 passed, 1 failed, 1 skipped"
program other 1 1..1 'not ok 1 - test_b'
is "the list is of one program, not of another" "$(result other)" \
	"0 passed, 1 failed, 0 skipped"
program whole 0 1..1 'ok 1 - test_a'
is "a program that is left out is one skip" "$(result whole)" \
	"0 passed, 0 failed, 1 skipped"
ok "it did not run" test ! -e "$tmp/tests/whole.ran"

printf '#!/bin/sh\necho 1..1; echo "ok 1 - by ${1##*/}"\n' >"$tmp/by"
chmod +x "$tmp/by"
runner=$tmp/by
is "a program runs by the runner" "$(result other)" \
	"1 passed, 0 failed, 0 skipped"
like "which is told the program" "$(cat "$tmp/test-logs/other.log")" 'by other'

# What the list of this tree names is there.
while read -r name test _; do
	[[ $name == */* ]] || continue
	if [[ $test == '*' ]]; then
		[[ -f tests/$name.c ]]
	else
		grep -qw "static void $test" "tests/$name.c"
	fi || echo "$name $test"
done <tests/cross/left-out >"$tmp/gone"
is "tests/cross/left-out names tests that there are" "$(cat "$tmp/gone")" ""
done_testing
