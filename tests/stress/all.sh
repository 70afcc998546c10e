#!/bin/bash
# SPDX-License-Identifier: MIT
# all.sh - streams between many ranks while daemons and ranks are killed, for
#	   SNOO_STRESS_S seconds
# timeout: 3600
SNOO_STRESS_S=${SNOO_STRESS_S:-5}
export PROOF_ALARM_S=$((SNOO_STRESS_S + 120))
. tests/lib/e2e.sh

[[ -x $E2E/stream ]] || skip_all "the end-to-end programs are not built"

daemon_start --pool-size 16M
bystander_start
job all 4 "$E2E/stream" -w 3 -p "$D/all"
end=$((SECONDS + SNOO_STRESS_S))
kills=0
deaths=0
bad=

ready_lines() {
	grep -c " ready version" "$D/daemon.log"
}
came_back() {
	(($(ready_lines) > $1))
}

while ((SECONDS < end)) && [[ -z $bad ]]; do
	rm -f "$D/doomed"
	victim=$((RANDOM % 3))
	job doomed 3 "$E2E/stream" -k $victim -l $((RANDOM * 4 + 8)) \
		-p "$D/doomed"
	eventually eval '(($(counted "$D/doomed" $victim) > RANDOM % 300))'
	n=$(ready_lines)
	if ((RANDOM % 2)); then
		e2e_kill KILL "$(daemon_worker)"
		e2e_kill KILL "${pid_of[doomed.$victim]}"
		kills=$((kills + 1))
		eventually came_back "$n" || bad="no daemon after kill $kills"
	else
		e2e_kill KILL "${pid_of[doomed.$victim]}"
	fi
	deaths=$((deaths + 1))
	for r in 0 1 2; do
		((r == victim)) || e2e_kill TERM "${pid_of[doomed.$r]}"
	done
	finish doomed
	for r in 0 1 2; do
		((r == victim)) || [[ $(status doomed $r) == 0 ]] ||
			bad+="death $deaths, rank $r: $(status doomed $r) $(text doomed $r)"$'\n'
	done
done
if [[ -z $bad ]]; then
	pass "$deaths ranks and $kills daemons killed in $SNOO_STRESS_S s"
else
	fail "$deaths ranks and $kills daemons killed" "$bad"
fi
e2e_kill TERM "${pid_of[all.0]}"
all_well "four ranks, all to all, every message verified" all 4
bystander_end
books_balance "every byte of the pool is free again"
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
