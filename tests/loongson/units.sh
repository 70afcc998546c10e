#!/bin/bash
# SPDX-License-Identifier: MIT
# units.sh - unit tests and the HAL's suites on a Loongson-3
#
# What cannot run there is in tests/loongson/not-there, with the reason.
# timeout: 420
. tests/loongson/lib.sh

# As on the host: tests read files of the tree by their names.
boot 4
for t in build/cross/mips64el/tests/unit/*/test_* build/cross/mips64el/tests/hal/test_*; do
	[[ $t != *.d && -x $t ]] || continue
	name=${t#build/cross/mips64el/tests/}
	why=$(awk -v n="$name" 'index(n, $1) == 1 {
		sub(/^[^ \t]+[ \t]+/, ""); print; exit }' tests/loongson/not-there)
	if [[ -n $why ]]; then
		skip "$name" "$why"
	else
		relay "$name" 0 sh -c "cd /snoo && exec env SNOO_TEST_1_IN=50 tests/$name"
	fi
done
done_testing
