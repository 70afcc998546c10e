#!/bin/bash
# SPDX-License-Identifier: MIT
# layout.sh - offsets and sizes of the shared bytes against what was blessed
#
# tests/abi/N.txt is what test_layout printed when major version N was fixed.
# A change of layout is a change of version: see CONTRIBUTING.md.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

B=${B:-build}
# By RUNNER, when it was built for another processor.
prog=("$B/tests/abi/test_layout")
[[ -z ${RUNNER:-} ]] || prog=("$RUNNER" "${prog[@]}")
[[ -f tests/abi/test_layout.c ]] || skip_all "there is no tests/abi/test_layout.c"
major=$(sed -n 's/^#define[ \t]*SNOO_ABI_MAJOR[ \t]*\([0-9]*\).*/\1/p' include/snoo/abi.h)
golden=tests/abi/${major:-0}.txt

compare() {
	diff -u "$golden" <("${prog[@]}") || {
		echo "If the change is meant: CONTRIBUTING.md, \"Changing the ABI\", then make abi-bless"
		return 1
	}
}
has_lines() { (($("${prog[@]}" | wc -l) > 10)); }

ok "test_layout prints the layout" has_lines
if [[ -f $golden ]]; then
	ok "the layout is the one in $golden" compare
else
	fail "the layout is the one in $golden" "no such file: make abi-bless"
fi
done_testing
