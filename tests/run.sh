#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh - run test programs, read their TAP, end with one line of totals
#
# Usage: tests/run.sh KIND:PROGRAM...
#
# A program speaks TAP on its output (CMocka's dialect too) and exits 0; or it
# exits 77 after a line that says why it cannot run here.  What counts:
#
#   ok, not ok, # SKIP          one each
#   exit 77                     one skip, its last line is the reason
#   a crash, a time-out, a non-zero exit without a "not ok", fewer results
#   than planned, no result, a program that is not there: one failure
#
# Environment: B (build folder), JOBS (how many unit tests at a time), TESTS
# (run only names with this word), BUILT (not 0: the build failed).  Loongson
# machines are two at a time where there are two cores: each is one thread.
# For programs of another processor: RUNNER, a command that runs one, and
# LEFT_OUT, a list of what cannot work by it.  A line is NAME TEST REASON: that
# test's failure counts as a skip; with * for TEST the program is not run.
# A time limit of its own: "# timeout: SECONDS" in a script, or a line
# "NAME SECONDS" in tests/timeouts.  The default is 120.
#
# The last line of the output is `N passed, N failed, N skipped`; the exit
# status is 1 if anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
JOBS=${JOBS:-1}
TESTS=${TESTS:-}
BUILT=${BUILT:-0}
RUNNER=${RUNNER:-}
LEFT_OUT=${LEFT_OUT:-}
LOGS=$B/test-logs
export CMOCKA_MESSAGE_OUTPUT=TAP
export LC_ALL=C
mkdir -p "$LOGS"
TIMES=$LOGS/times
: >"$TIMES"

passed=0
failed=0
skipped=0

# name_of PROGRAM: tests/e2e/hello.sh is e2e/hello, wherever it was built.
name_of() {
	local n=${1##*tests/}
	printf '%s\n' "${n%.sh}"
}

# limit_of NAME PROGRAM: seconds it may run.
limit_of() {
	local t=
	[[ -f tests/timeouts ]] &&
		t=$(awk -v n="$1" '$1 == n { print $2 }' tests/timeouts)
	[[ -z $t && $2 == *.sh && -r $2 ]] &&
		t=$(sed -n 's/^# timeout: *\([0-9]*\).*/\1/p' "$2" | head -n 1)
	printf '%s\n' "${t:-120}"
}

# count LOG STATUS LIMIT: "passed failed skipped note" of one finished program.
count() {
	awk -v rc="$2" -v limit="$3" '
	function verdict(numbered) {
		if ($0 ~ /#[ \t]*[Ss][Kk][Ii][Pp]/) {
			if (numbered) skip++; else uskip++
		} else if ($1 == "ok") {
			if (numbered) pass++; else upass++
		} else {
			if (numbered) fail++; else ufail++
		}
	}
	/^1\.\.0/ { none = 1; sub(/^1\.\.0[ #]*/, ""); why = $0; next }
	/^1\.\.[0-9]+/ { split($1, p, /\.\./); plan += p[2]; next }
	/^(not )?ok [0-9]+/ { verdict(1); next }
	# CMocka closes a failed group by "not ok - group": not a test of its
	# own, unless nothing is numbered.
	/^(not )?ok([ \t]|$)/ { verdict(0); next }
	NF { last = $0 }
	END {
		if (!(pass + fail + skip)) {
			pass = upass; fail = ufail; skip = uskip
		}
		n = pass + fail + skip
		sub(/^[# \t]+/, "", last)
		if (rc == 77 && !fail) {
			skip++
			note = "skipped: " (last ? last : "no reason given")
		} else if (rc == 124 || rc == 137) {
			fail++; note = "no end after " limit " s"
		} else if (rc > 128) {
			fail++; note = "killed by signal " rc - 128
		} else if (none && rc == 0) {
			skip++; note = "skipped: " why
		} else if (rc != 0 && !fail) {
			fail++; note = "exit status " rc
		} else if (plan > n && !fail) {
			fail++; note = n " results of " plan
		} else if (n == 0) {
			fail++; note = "no results"
		}
		print pass + 0, fail + 0, skip + 0, note
	}' "$1"
}

# fuzz NAME PROGRAM: FUZZ_S seconds from the corpus that is kept beside the
# source; what it finds stays in the log folder.
fuzz() {
	local seeds=tests/fuzz/corpus/${1##*/} work=$LOGS/corpus.${1##*/}
	mkdir -p "$work"
	local -a from=("$work")
	[[ -d $seeds ]] && from+=("$seeds")
	echo 1..1
	timeout -k 5 $((${FUZZ_S:-5} + 60)) "$2" -max_total_time="${FUZZ_S:-5}" \
		-timeout=10 -print_final_stats=1 \
		-artifact_prefix="$LOGS/${1##*/}." "${from[@]}" || return
	echo "ok 1 - ${FUZZ_S:-5} s without a finding"
}

# left_out NAME: why this program is not run, if it is not.
left_out() {
	[[ -z $LEFT_OUT ]] || awk -v n="$1" '
	$1 == n && $2 == "*" { sub(/^[^*]*\*[ \t]*/, ""); print; exit }' "$LEFT_OUT"
}

# forgive NAME LOG: failures that are on the list become skips; how many.
forgive() {
	local n=0
	if [[ -n $LEFT_OUT ]]; then
		awk -v name="$1" '
		NR == FNR {
			if ($1 == name) {
				test = $2
				sub(/^[^ \t]+[ \t]+[^ \t]+[ \t]+/, "")
				why[test] = $0
			}
			next
		}
		/^not ok [0-9]+ - / && ($5 in why) {
			printf "ok %d # SKIP %s: %s\n", $3, $5, why[$5]
			next
		}
		{ print }' "$LEFT_OUT" "$2" >"$2.forgiven"
		n=$(diff "$2" "$2.forgiven" | grep -c '^>')
		mv "$2.forgiven" "$2"
	fi
	printf '%s\n' "$n"
}

# one KIND NAME PROGRAM: run it; leaves NAME.log and NAME.result.
one() {
	local kind=$1 name=$2 prog=$3 base limit start end rc why by=()
	base=$LOGS/${name//\//.}
	limit=$(limit_of "$name" "$prog")
	start=$(date +%s%N)
	why=$(left_out "$name")
	if [[ -n $why ]]; then
		echo "$why" >"$base.log"
		rc=77
	elif [[ -x $prog ]]; then
		[[ $prog == */* ]] || prog=./$prog
		[[ -z $RUNNER || $prog == *.sh ]] || by=("$RUNNER")
		{
			if [[ $kind == fuzz ]]; then
				fuzz "$name" "$prog" >"$base.log" 2>&1
			else
				timeout -k 5 "$limit" "${by[@]}" "$prog" \
					>"$base.log" 2>&1 </dev/null
			fi
			rc=$?
		} 2>/dev/null
		# CMocka's status is how many failed.
		((rc == 0 || rc != $(forgive "$name" "$base.log"))) || rc=0
	else
		echo "$prog: not built, or not executable" >"$base.log"
		rc=127
	fi
	end=$(date +%s%N)
	printf '%s %s\n' $(((end - start) / 1000000)) \
		"$(count "$base.log" "$rc" "$limit")" >"$base.result.new"
	mv "$base.result.new" "$base.result"
}

# report NAME: one line, the log if it failed; adds to the totals.
report() {
	local name=$1 base ms p f s note verdict
	base=$LOGS/${name//\//.}
	read -r ms p f s note <"$base.result"
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	printf '%s %s\n' "$ms" "$name" >>"$TIMES"
	if ((f)); then
		printf 'FAIL  %-34s %4d ok %3d failed %3d skipped  %s\n' \
			"$name" "$p" "$f" "$s" "$note"
		sed 's/^/      | /' "$base.log" | tail -n 200
	else
		verdict='ok  '
		((p)) || verdict=skip
		printf '%s  %-34s %4d ok %14s %3d skipped  %s\n' \
			"$verdict" "$name" "$p" '' "$s" "$note"
		# Which of the tests were skipped, and why.
		((p && s)) && grep -i '# *skip' "$base.log" | sed 's/^/      | /'
	fi
	return 0
}

# report_ended: of those that were started, in that order, up to the first that runs.
report_ended() {
	while ((${#started[@]})) && [[ -e $LOGS/${started[0]//\//.}.result ]]; do
		report "${started[0]}"
		started=("${started[@]:1}")
	done
}

# room N: wait until fewer than N run.
room() {
	while ((running >= $1)); do
		wait -n
		running=$((running - 1))
		report_ended
	done
}

if [[ $BUILT != 0 ]]; then
	echo "FAIL  build: something did not compile; see above"
	failed=$((failed + 1))
fi

started=()
running=0
last=
for arg in "$@"; do
	kind=${arg%%:*}
	prog=${arg#*:}
	name=$(name_of "$prog")
	[[ -n $TESTS && $name != *$TESTS* ]] && continue
	case $kind in
	unit | hal | fuzz) width=$JOBS ;;
	loongson) width=$(($(nproc) < 2 ? 1 : 2)) ;;
	*) width=1 ;;
	esac
	[[ $kind == "$last" ]] || room 1
	last=$kind
	room "$width"
	rm -f "$LOGS/${name//\//.}.result"
	one "$kind" "$name" "$prog" &
	running=$((running + 1))
	started+=("$name")
done
room 1

if (($(wc -l <"$TIMES") > 10)); then
	echo "slowest:"
	sort -rn "$TIMES" | head -n 10 |
		awk '{ printf "  %8.2f s  %s\n", $1 / 1000, $2 }'
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
