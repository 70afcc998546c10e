#!/bin/bash
# SPDX-License-Identifier: MIT
# man-examples.sh - compile and run every example of the manual and the README
# timeout: 300
#
# An example is a .Bd block of a section EXAMPLES that begins with #include.
# Comments before it say how it is run and what it prints, in any order:
#
#	.\" run: 2 ranks          under snoorun (or "alone")
#	.\" prints: a line        as often as there are lines; none: not compared
#
# The prototypes of the SYNOPSIS sections are compiled after the header that
# they name, so a page that disagrees with it does not compile.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin}
LIB=${LIB:-build/lib}
CC=${CC:-cc}
[[ -x $BIN/snoorun && -x $BIN/snoo-daemon && -e $LIB/libsnoo-client.so ]] ||
	skip_all "snoorun, snoo-daemon or libsnoo-client is not built"
unset SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir
lib=$(cd "$LIB" && pwd)
san=()
[[ -n ${SAN:-} ]] && san=("-fsanitize=$SAN")

# compile SOURCE PROGRAM
compile() {
	"$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror "${san[@]}" -Iinclude \
		-o "$2" "$1" -L"$lib" -lsnoo-client "-Wl,-rpath,$lib"
}

# launch HOW PROGRAM: "2 ranks" or "alone"
launch() {
	case $1 in
	alone) "$2" ;;
	*" ranks") "$BIN/snoorun" --private --pool-size 16M --timeout 60 \
		-n "${1%% *}" "$2" ;;
	*) echo "'$1': say how many ranks"; return 1 ;;
	esac
}

# ---- examples: PAGE.N.c, PAGE.N.run, PAGE.N.prints in $dir
cut_out() {
	awk -v base="$dir/$(basename "$1")" '
	/^\.Sh / { examples = $2 == "EXAMPLES"; next }
	!examples { next }
	/^\.\\" run: / { sub(/^\.\\" run: /, ""); run = $0; next }
	/^\.\\" prints: / { sub(/^\.\\" prints: /, ""); prints = prints $0 "\n"; next }
	/^\.Bd / { block = 1; lines = 0; next }
	/^\.Ed/ { block = 0; if (lines && c) { close(c) } c = ""; next }
	block {
		if (!lines++ && /^#include/) {
			c = base "." ++n ".c"
			printf "%s\n", run >(base "." n ".run")
			printf "%s", prints >(base "." n ".prints")
		}
		if (lines == 1) { run = ""; prints = "" }
		if (c) {
			gsub(/\\&/, ""); gsub(/\\\(aq/, "\047")
			gsub(/\\\(dq/, "\""); gsub(/\\e/, "\\")
			print >c
		}
	}' "$1"
}

pages=(doc/man/*.3 doc/man/*.7)
for page in "${pages[@]}"; do
	cut_out "$page"
	[[ $page == *.3 ]] && ok "$page has an example" test -s "$dir/$(basename "$page").1.c"
done
for c in "$dir"/*.c; do
	name=$(basename "$c" .c)
	how=$(<"${c%.c}.run")
	ok "$name compiles" compile "$c" "${c%.c}"
	[[ -x ${c%.c} ]] || continue
	out=$(launch "$how" "${c%.c}" 2>&1)
	rc=$?
	is "$name ends well" "$rc${out:+: $out}" "0${out:+: $out}"
	if [[ -s ${c%.c}.prints ]]; then
		is "$name prints what it says" "$(sort <<<"$out")" \
			"$(sort "${c%.c}.prints")"
	fi
done

# ---- prototypes
prototypes() {
	awk '
	/^\.Sh / { synopsis = $2 == "SYNOPSIS"; next }
	!synopsis { next }
	/^\.In / { print "#include <" $2 ">" }
	/^\.Ft / { sub(/^\.Ft /, ""); type = $0 }
	/^\.Fo / { printf "%s %s(", type, $2; sep = "" }
	/^\.Fa / { sub(/^\.Fa /, ""); gsub(/"/, ""); printf "%s%s", sep, $0; sep = ", " }
	/^\.Fc/ { print ");" }' "$1"
}
for page in doc/man/*.3; do
	prototypes "$page" >"$dir/synopsis.c"
	ok "$(basename "$page"): the synopsis agrees with the header" \
		"$CC" -std=c11 -Wall -Werror -Iinclude -fsyntax-only "$dir/synopsis.c"
done

# ---- README
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$dir/hello.c"
is "the README's hello world is examples/hello.c" "$(<"$dir/hello.c")" \
	"$(tail -n +3 examples/hello.c)"
ok "it compiles" compile "$dir/hello.c" "$dir/hello"
is "it runs as the README says" "$(launch '2 ranks' "$dir/hello" 2>&1)" \
	"rank 1 of 2: got 42"
done_testing
