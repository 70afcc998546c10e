#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh - build for other processors, run what runs under QEMU, add it up
#
# Usage: tests/cross/run.sh ARCH...
#
# Each is built by build.sh; then the tests of layout, units, back ends and of
# what we assume of the kernel run under QEMU's emulator of one process, and a
# daemon with some jobs.  What the emulator lacks is in left-out, with the
# reason, and counts as skipped.
#
# One whose packages cannot be had is one skip.  The last line of the output is
# `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C LEFT_OUT=tests/cross/left-out

passed=0
failed=0
skipped=0
mkdir -p build/cross || exit 1

# add LINE: a closing line.
add() {
	if [[ $1 =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	else
		failed=$((failed + 1))
		echo "FAIL  no closing line"
	fi
}

# tests ARCH BUILT: all but the closing line is shown; that is kept.
tests() {
	RUNNER=$PWD/build/cross/bin/$1-run BUILT=$2 \
		tests/cross/build.sh "$1" check.run KINDS="abi unit hal platform cross" \
		unit_SH= STATUS="build/cross/$1/check.status" \
		TESTS="${TESTS:-}" JOBS="$(nproc)" |
		tee "build/cross/$1.tests" | sed '$d'
	add "$(tail -n 1 "build/cross/$1.tests")"
}

for arch; do
	start=$SECONDS
	log=build/cross/$arch.log
	tests/cross/build.sh "$arch" >"$log" 2>&1
	built=$?
	if ((built == 77)); then
		skipped=$((skipped + 1))
		echo "skip  $arch: $(tail -n 1 "$log")"
		continue
	fi
	printf '\n==== %s: built in %d s, %d objects\n' "$arch" \
		$((SECONDS - start)) "$(find "build/cross/$arch" -name '*.o' | wc -l)"
	((built == 0)) || grep -E 'error|warning|\*\*\*|^setup' "$log" | head -n 40
	tests "$arch" $built
	echo "$arch: $((SECONDS - start)) s, $(tail -n 1 "build/cross/$arch.tests")"
done
printf '\nfetched: %s\n' "$(tests/cross/fetch.sh sum)"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
