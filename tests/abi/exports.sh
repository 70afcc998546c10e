#!/bin/bash
# SPDX-License-Identifier: MIT
# exports.sh - the library exports what its map names, no more and no less
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

B=${B:-build}
so=$B/lib/libsnoo-client.so
map=client/libsnoo-client.map
[[ -f $map ]] || skip_all "there is no $map"
[[ -f $so ]] || { fail "the library is there" "$so is missing"; done_testing; exit; }

# What the map names; a pattern would export whatever happens to match it.
named=$(sed -e 's|/\*.*\*/||; s/#.*//' "$map" | tr ';{}' '\n\n\n' |
	sed 's/^[ \t]*//; s/^\(global\|local\)://; s/^[ \t]*//' |
	grep -E '^(snoo|SNOO_MPI)_[A-Za-z0-9_]+$' | sort -u)
exported=$(nm -D --defined-only "$so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)
# Public prototypes of the two headers.
declared=$(cat include/snoo/snoo.h include/snoo/snoo_mpi.h 2>/dev/null |
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -Iinclude -fsyntax-only -x c \
		-include stddef.h -aux-info /dev/stdout - 2>/dev/null |
	sed -nE 's/^[^(]* extern [^(]*[ *]((snoo|SNOO_MPI)_[A-Za-z0-9_]+) \(.*/\1/p' |
	sort -u)

is "exported symbols are those that the map names" "$exported" "$named"
no_pattern() { ! grep -E '^[^/*]*(snoo|SNOO)[A-Za-z_]*\*' "$map"; }
ok "the map has no pattern" no_pattern
ok "the soname is libsnoo-client.so.0" \
	grep -q 'SONAME.*libsnoo-client.so.0' <(readelf -d "$so")
if [[ -n $declared && ${CC:-cc} != *clang* ]]; then
	is "every declared function is exported" \
		"$(comm -23 <(echo "$declared") <(echo "$exported"))" ""
	is "every exported function is declared" \
		"$(comm -13 <(echo "$declared") <(echo "$exported"))" ""
else
	skip "declared and exported agree" "-aux-info is gcc's"
fi

# The static library shows the same names; its helpers have names that no
# program would choose.
if [[ -f $B/lib/libsnoo-client.a && -z ${SAN:-} ]]; then
	defined=$(nm -g --defined-only "$B/lib/libsnoo-client.a" 2>/dev/null |
		awk 'NF == 3 { print $3 }' | sort)
	helpers=$(sed -n 's/^snoo_own_//p' <<<"$defined")
	is "the static library defines public names and its own" \
		"$(comm -3 <(grep -v '^snoo_own_' <<<"$defined") \
			<(echo "$named"))" ""
	# twins FILE...: link a program that has functions of those names, too.
	twins() {
		# shellcheck disable=SC2086 # names
		{ printf 'void %s(void) {}\n' $helpers; echo 'int main(void) {}'; } |
			"${CC:-cc}" -w -x c -o /dev/null - -x none \
				-Wl,--whole-archive "$@" -Wl,--no-whole-archive
	}
	like "there are helpers" "$helpers" send_ended
	# shellcheck disable=SC2046 # paths
	fails "refused: a program with functions of names that stayed" \
		twins $(find "$B"/obj/{client,hal,shm} -name '*.o')
	ok "a program may have functions of the helpers' names" \
		twins "$B/lib/libsnoo-client.a"
fi
done_testing
