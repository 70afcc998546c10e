#!/bin/bash
# SPDX-License-Identifier: MIT
# man.sh - lint every manual page with mandoc
cd "$(dirname "$0")/.." || exit 1
. tests/lib/tap.sh

command -v mandoc >/dev/null || skip_all "mandoc is not installed"
shopt -s nullglob
pages=(doc/man/*.[1-9])
((${#pages[@]})) || skip_all "there is no page in doc/man/"
for p in "${pages[@]}"; do
	ok "$p" mandoc -Tlint -Wwarning "$p"
done
done_testing
