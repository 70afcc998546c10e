#!/bin/bash
# SPDX-License-Identifier: MIT
# loan.sh - a rank that lends or reads is killed at each of its test points,
#	    then a daemon at each of those of loans
# timeout: 200
#
# Needs the test-point build: $TP/bin, $TP/e2e.
export PROOF_ALARM_S=${PROOF_ALARM_S:-20}
TP=${TP:-$PWD/${B:-build}/tp}
BIN=$TP/bin
E2E=$TP/e2e
. tests/lib/e2e.sh

[[ -x $E2E/loans ]] || skip_all "the test-point build is not there"

points() {
	grep -rhoE --include='*.c' "SNOO_TESTPOINT\(\"$1_[a-z_]+\"\)" "$2" |
		sed 's/.*("//; s/").*//' | sort -u
}

daemon_start --pool-size 16M
bystander_start
for point in $(points loan client) $(points alloc client); do
	bad='' hit=0
	how=()
	[[ $point == alloc_* ]] && how=(-a)
	for nth in 1 2 30; do
		rm -f "$D/loans"
		rank dying 0 2 "$E2E/loans" -p "$D/loans" -k 1 -n 300 -o 3 "${how[@]}"
		SNOO_TESTPOINT=$point:$nth rank dying 1 2 "$E2E/loans" \
			-p "$D/loans" -k 1 -n 300 -o 3 "${how[@]}"
		finish dying
		case "$(status dying 0) $(status dying 1)" in
		"0 137") hit=$((hit + 1)) ;;
		"0 0") ;;
		*) bad+="passage $nth: $(status dying 0) $(text dying 0), $(status dying 1) $(text dying 1)"$'\n' ;;
		esac
	done
	if [[ -n $bad ]]; then
		fail "rank killed at $point" "$bad"
	else
		is "rank killed at $point, three passages" "$hit" 3
	fi
done
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop

taken_over() {
	grep -A 1000 "killed by signal 9" "$D/daemon.log" |
		grep -q " ready version"
}

for point in $(points daemon_loan daemon); do
	bad=''
	: >"$D/once"
	SNOO_TESTPOINT=$point:1 SNOO_TESTPOINT_ONCE=$D/once \
		daemon_start --pool-size 16M
	job through 2 "$E2E/stream" -u 200 -l 65536 -p "$D/through"
	# Enough of them to be recalled for others.
	job first 2 "$E2E/loans" -n 300 -l 300000 -o 16
	finish first
	job next 2 "$E2E/loans" -n 300 -l 800000 -o 16
	finish next
	eventually taken_over || bad+="no second daemon"$'\n'
	e2e_kill TERM "${pid_of[through.0]}"
	finish through
	for r in through.0 through.1 first.0 first.1 next.0 next.1; do
		[[ ${status_of[$r]} == 0 ]] ||
			bad+="$r: ${status_of[$r]} $(text "${r%.*}" "${r#*.}")"$'\n'
	done
	[[ -e $D/once ]] && bad+="the point was not passed"$'\n'
	eventually pool_is "0 0" || bad+="books: $(pool_use)"$'\n'
	if [[ -n $bad ]]; then
		fail "daemon killed at $point" "$bad$(tail -n 5 "$D/daemon.log")"
	else
		pass "daemon killed at $point"
	fi
	daemon_stop
	rm -f "$D/through" "$D/once"
done
done_testing
