#!/bin/bash
# SPDX-License-Identifier: MIT
# guest.sh - a VM's daemon is killed at each of its test points, and at each of
#	     the control channel's; then the host's at the latter
#
# A verified stream between the kernels through the whole time, jobs that come,
# go and die.
# timeout: 400
#
# Needs the test-point build: $TP/bin, $TP/e2e.  POINTS=REGEX: these alone,
# NTH="1 2": at these passages.
export PROOF_ALARM_S=${PROOF_ALARM_S:-20}
TP=${TP:-$PWD/${B:-build}/tp}
BIN=$TP/bin
E2E=$TP/e2e
. tests/lib/guest.sh

[[ -x $E2E/stream ]] || skip_all "the test-point build is not there"

# points FOLDER...: the names in the source.
points() {
	grep -rhoE --include='*.c' 'SNOO_TESTPOINT\("[a-z_]+"\)' "$@" | sed 's/.*("//; s/").*//' |
		grep -E "${POINTS:-.}" | sort -u
}

taken_over() {
	grep -A 1000 "killed by signal 9" "$1" | grep -q " ready version"
}

# killed SIDE POINT PASSAGE: the daemon of that side dies there.
killed() {
	local side=$1 point=$2 nth=$3 bad='' r log=$D/guest.log

	: >"$D/once"
	if [[ $side == host ]]; then
		log=$D/daemon.log
		SNOO_TESTPOINT=$point:$nth SNOO_TESTPOINT_ONCE=$D/once \
			host_start
		guest_start
	else
		host_start
		SNOO_TESTPOINT=$point:$nth SNOO_TESTPOINT_ONCE=$D/once \
			guest_start
	fi
	mixed through 2 "$E2E/stream" -u 200 -l 65536 -p "$D/through"
	mixed young 4 "$E2E/stream" -n 100 -l 100000
	finish young
	mixed doomed 4 "$E2E/stream" -k 1 -l 4096 -p "$D/doomed"
	eventually eval '(($(counted "$D/doomed" 1) > 20))'
	e2e_kill KILL "${pid_of[doomed.1]}"
	# What only a successor comes by needs one.
	if [[ $point == guest_adopted || $point == guest_known ||
		$point == guest_devices_open ]]; then
		e2e_kill KILL "$(guest_worker)"
		eventually taken_over "$log"
	fi
	mixed young2 4 "$E2E/stream" -n 100 -l 100000
	finish young2
	for r in 0 2 3; do
		e2e_kill TERM "${pid_of[doomed.$r]}"
	done
	finish doomed
	if [[ ! -e $D/once ]]; then
		hit=$((hit + 1))
		eventually taken_over "$log" || bad+="no second daemon"$'\n'
	fi
	e2e_kill TERM "${pid_of[through.0]}"
	finish through
	for r in through.0 through.1 young.0 young.1 young.2 young.3 \
		young2.0 young2.1 young2.2 young2.3 \
		doomed.0 doomed.2 doomed.3; do
		[[ ${status_of[$r]} == 0 ]] ||
			bad+="$r: ${status_of[$r]} $(text "${r%.*}" "${r#*.}")"$'\n'
	done
	eventually pool_is "0 0" || bad+="books: $(pool_use)"$'\n'
	[[ -z $bad ]] || bad="passage $nth: $bad$(tail -n 5 "$D/guest.log" "$D/daemon.log")"$'\n'
	guest_stop
	daemon_stop
	rm -f "$D/doomed" "$D/through"
	why+=$bad
}

each() {
	local side=$1 point nth
	shift
	for point in "$@"; do
		hit=0
		why=
		for nth in ${NTH:-1 2}; do
			killed "$side" "$point" "$nth"
		done
		if [[ -n $why ]]; then
			fail "$side's daemon killed at $point" "$why"
		elif ((hit == 0)); then
			skip "$side's daemon killed at $point" "not passed"
		else
			pass "$side's daemon killed at $point ($hit passages)"
		fi
	done
}

# Each side's own steps; a ring that is full is a story of its own (test_link,
# and the model of FULL).
# shellcheck disable=SC2046
each guest $(points daemon | grep '^guest_') \
	$(points shm | grep '^link_' | grep -vE '_(accepted|full)$')
# shellcheck disable=SC2046
each host $(points shm | grep '^link_' | grep -vE '_(asked|full)$')
done_testing
