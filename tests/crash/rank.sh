#!/bin/bash
# SPDX-License-Identifier: MIT
# rank.sh - a rank is killed at each of its test points, exactly between two
#	    stores; then a daemon at each of its own
# timeout: 300
#
# Needs the test-point build: $TP/bin, $TP/e2e.
export PROOF_ALARM_S=${PROOF_ALARM_S:-15}
TP=${TP:-$PWD/${B:-build}/tp}
BIN=$TP/bin
E2E=$TP/e2e
. tests/lib/e2e.sh

[[ -x $E2E/stream ]] || skip_all "the test-point build is not there"

# points FOLDER...: the names in the source.
points() {
	grep -rhoE --include='*.c' 'SNOO_TESTPOINT\("[a-z_]+"\)' "$@" | sed 's/.*("//; s/").*//' |
		sort -u
}

# A message this large is not streamed but read by one copy, unless that is forbidden.
daemon_start --pool-size 16M --set domains.default.single_copy=false
bystander_start
hit=0
on=()	# all ranks that die: a command that runs them somewhere

# crash POINT PASSAGE: rank 1 dies there, rank 0 must get all that rank 1 had
# finished sending.
crash() {
	local point=$1 nth=$2
	rm -f "$D/counts"
	rank dying 0 2 "${on[@]}" "$E2E/stream" -p "$D/counts" -k 1 -n 400 -l 200000
	SNOO_TESTPOINT=$point:$nth rank dying 1 2 "${on[@]}" "$E2E/stream" \
		-p "$D/counts" -k 1 -n 400 -l 200000
	finish dying
	# 137: it died there; 0: the stream does not come by so often.
	case "$(status dying 0) $(status dying 1)" in
	"0 137") hit=$((hit + 1)) ;;
	"0 0") ;;
	*) return 1 ;;
	esac
}

# flood POINT: the same for who sends small messages faster than they are read.
flood() {
	local point=$1
	rm -f "$D/counts"
	SNOO_TESTPOINT=$point rank dying 0 2 "$E2E/stream" \
		-p "$D/counts" -k 0 -1 -n 20000 -l 8
	rank dying 1 2 "$E2E/stream" -p "$D/counts" -k 0 -1 -n 20000 -l 8 -u 20
	finish dying
	case "$(status dying 0) $(status dying 1)" in
	"137 0") hit=$((hit + 1)) ;;
	"0 0") ;;
	*) return 1 ;;
	esac
}

# late POINT: the same for who sends what its receiver does not come for in time.
late() {
	rm -f "$D/counts"
	rank dying 0 2 "$E2E/stream" -p "$D/counts" -k 1 -s -n 600 -l 40000 -u 500
	SNOO_TESTPOINT=$1 rank dying 1 2 "$E2E/stream" \
		-p "$D/counts" -k 1 -s -n 600 -l 40000
	finish dying
	case "$(status dying 0) $(status dying 1)" in
	"0 137") hit=$((hit + 1)) ;;
	"0 0") ;;
	*) return 1 ;;
	esac
}

# stalled POINT: the same while the daemon stands still again and again, as one
# that is being replaced does: what the registers hold goes by the channels.
stalled() {
	local point=$1 worker halting
	worker=$(daemon_worker)
	while kill -STOP "$worker" 2>/dev/null; do
		sleep 0.05
		kill -CONT "$worker"
		sleep 0.02
	done &
	halting=$!
	flood "$point"
	local ret=$?
	kill "$halting"
	wait "$halting" 2>/dev/null
	kill -CONT "$worker"
	return "$ret"
}

# at POINT: passages of it, and a flood if there are none.
at() {
	local point=$1 nth
	bad=
	hit=0
	for nth in 1 2 40; do
		crash "$point" "$nth" ||
			bad+="passage $nth: $(status dying 0) $(text dying 0), $(status dying 1) $(text dying 1)"$'\n'
	done
	if [[ -z $bad ]] && ((hit == 0)) && ! flood "$point"; then
		bad="flood: $(status dying 0) $(text dying 0), $(status dying 1) $(text dying 1)"
	fi
}

# said POINT REASON: a test.
said() {
	if [[ -n $bad ]]; then
		fail "rank killed at $1" "$bad"
	elif ((hit == 0)); then
		skip "rank killed at $1" "$2"
	else
		pass "rank killed at $1 ($hit passages)"
	fi
}

# The link of a VM is no rank's: guest.sh and vm.c.  Loans: loan.sh.  Meetings: meet.sh.
rest=
for point in $(points shm client | grep -vE '^(link|loan|alloc|meet|reach|send_instead)_'); do
	at "$point"
	if [[ -z $bad ]] && ((hit == 0)); then
		rest+=" $point"
	else
		said "$point"
	fi
done
bystander_end
books_balance "every byte of the pool is free again, after streams"
daemon_stop

# Those of single copies: where ranks share a core, nothing else is tried.
daemon_start --pool-size 16M
bystander_start
on=(taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')")
for point in $(points client | grep '^reach_'); do
	at "$point"
	said "$point" "no passage in these streams"
done
on=()
for point in $(points client | grep '^send_instead_'); do
	hit=0 bad=
	for ((i = 0; i < 5 && hit == 0; i++)); do
		[[ -z $bad ]] || break
		late "$point" ||
			bad="late: $(status dying 0) $(text dying 0), $(status dying 1) $(text dying 1)"
	done
	said "$point" "nothing was offered: one copy never cost less"
done
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop

# Those that are passed only where registers carry small messages.
registers=(--set hal=emul --set registers=hardware)
daemon_start --pool-size 16M "${registers[@]}"
bystander_start
for point in $rest; do
	at "$point"
	for ((i = 0; i < 20 && hit == 0; i++)); do
		[[ -z $bad ]] || break
		stalled "$point" ||
			bad="stalled: $(status dying 0) $(text dying 0), $(status dying 1) $(text dying 1)"
	done
	said "$point" "no passage in these streams"
done
bystander_end
books_balance "every byte of the pool is free again, the registers' rings too"
daemon_stop

# The daemon dies at each of its points, and the next one takes over: a verified
# stream through the whole time, jobs that come, go and die.
taken_over() {
	grep -A 1000 "killed by signal 9" "$D/daemon.log" |
		grep -q " ready version"
}

daemon_at() {
	local point=$1 nth=$2 bad='' r
	local -a sets=()
	[[ $point == daemon_regs_* ]] && sets=("${registers[@]}")
	: >"$D/once"
	SNOO_TESTPOINT=$point:$nth SNOO_TESTPOINT_ONCE=$D/once \
		daemon_start --pool-size 16M "${sets[@]}"
	job through 2 "$E2E/stream" -u 200 -l 65536 -p "$D/through"
	job young 2 "$E2E/stream" -n 100 -l 100000
	finish young
	job doomed 3 "$E2E/stream" -k 0 -l 4096 -p "$D/doomed"
	eventually eval '(($(counted "$D/doomed" 0) > 20))'
	e2e_kill KILL "${pid_of[doomed.0]}"
	# What only a successor comes by needs one.
	case $point in
	daemon_adopt* | daemon_state* | daemon_regs_found | daemon_regs_adopted)
		e2e_kill KILL "$(daemon_worker)"
		eventually taken_over
		;;
	esac
	job young2 2 "$E2E/stream" -n 100 -l 100000
	finish young2
	e2e_kill TERM "${pid_of[doomed.1]}"
	e2e_kill TERM "${pid_of[doomed.2]}"
	finish doomed
	if [[ ! -e $D/once ]]; then
		hit=$((hit + 1))
		eventually taken_over || bad+="no second daemon"$'\n'
	fi
	e2e_kill TERM "${pid_of[through.0]}"
	finish through
	for r in through.0 through.1 young.0 young.1 young2.0 young2.1 \
		doomed.1 doomed.2; do
		[[ ${status_of[$r]} == 0 ]] ||
			bad+="$r: ${status_of[$r]} $(text "${r%.*}" "${r#*.}")"$'\n'
	done
	eventually pool_is "0 0" || bad+="books: $(pool_use)"$'\n'
	[[ -z $bad ]] || bad="passage $nth: $bad$(tail -n 5 "$D/daemon.log")"$'\n'
	daemon_stop
	rm -f "$D/doomed" "$D/through"
	why+=$bad
}

# Points of the start alone are passed once in a life.  Those of VMs: vm.c,
# those of loans: loan.sh.
for point in $(points daemon | grep '^daemon_' |
	grep -vE '^daemon_(vm|control|loan)_'); do
	hit=0
	why=
	for nth in ${NTH:-1}; do
		daemon_at "$point" "$nth"
	done
	if [[ -n $why ]]; then
		fail "daemon killed at $point" "$why"
	elif ((hit == 0)); then
		skip "daemon killed at $point" "not passed"
	else
		pass "daemon killed at $point ($hit passages)"
	fi
done
done_testing
