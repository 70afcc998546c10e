# SPDX-License-Identifier: MIT
# tap.sh - print TAP from shell tests: . tests/lib/tap.sh; ok NAME CMD...
# shellcheck shell=bash
#
#   ok NAME COMMAND...       passes if the command succeeds
#   fails NAME COMMAND...    passes if the command fails by itself, not by a signal
#   is NAME GOT WANT         passes if the strings are equal
#   like NAME GOT REGEX      passes if GOT matches the extended REGEX
#   pass NAME, fail NAME [WHY]
#   skip NAME WHY            one test that cannot run here
#   skip_all WHY             ends the program, status 77
#   done_testing             prints the plan; its status is the script's
#
# Output of a command that did not do as expected is shown behind "# ".

tap_n=0
tap_bad=0

pass() {
	tap_n=$((tap_n + 1))
	printf 'ok %d - %s\n' "$tap_n" "$1"
}

fail() {
	tap_n=$((tap_n + 1))
	tap_bad=$((tap_bad + 1))
	printf 'not ok %d - %s\n' "$tap_n" "$1"
	if [[ -n ${2:-} ]]; then
		sed 's/^/# /' <<<"$2"
	fi
	return 0
}

ok() {
	local name=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	if ((rc == 0)); then
		pass "$name"
	else
		fail "$name" "status $rc from: $*"$'\n'"$out"
	fi
}

fails() {
	local name=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	if ((rc > 0 && rc < 126)); then
		pass "$name"
	else
		fail "$name" "status $rc, a plain failure was due: $*"$'\n'"$out"
	fi
}

is() {
	if [[ $2 == "$3" ]]; then
		pass "$1"
	else
		fail "$1" "got:  $2"$'\n'"want: $3"
	fi
}

like() {
	if [[ $2 =~ $3 ]]; then
		pass "$1"
	else
		fail "$1" "got:       $2"$'\n'"not like:  $3"
	fi
}

skip() {
	tap_n=$((tap_n + 1))
	printf 'ok %d # SKIP %s: %s\n' "$tap_n" "$1" "$2"
}

skip_all() {
	printf '%s\n' "$1"
	exit 77
}

done_testing() {
	printf '1..%d\n' "$tap_n"
	((tap_bad == 0))
}
