#!/bin/bash
# SPDX-License-Identifier: MIT
# bells-host.sh - ranks that are woken by eventfds, as in a job that spans
#		  kernels, without a VM: streams, daemons that die, spoilers
#
# All ranks of the host share one eventfd here (two vectors, 0 is not given
# out).  The domain "plain" beside it uses futexes: its bystander must notice
# nothing of what happens to the eventfds of the other.
# timeout: 300
. tests/lib/e2e.sh

daemon_start --pool-size 32M \
	--set domains.default.ivshmem.host_bells=true \
	--set domains.default.ivshmem.vectors=2 \
	--set domains.plain.pool.huge_pages=never
bells_socket=$SOCKET
SOCKET=$D/plain.sock
bystander_start
SOCKET=$bells_socket

# of JOB COUNTER: over the ranks that are there.
of() {
	admin ranks | jq "[.[] | select(.job == \"$1\") | .counters.$2] | add // 0"
}

# eventfds PID: how many it holds.
eventfds() {
	local f n=0
	for f in /proc/"$1"/fd/*; do
		[[ $(readlink "$f") == *eventfd* ]] && n=$((n + 1))
	done
	printf '%d\n' "$n"
}

# ---- woken, and not missed ----

job four 4 "$E2E/stream" -n 400 -l 20000 -u 300
all_well "four ranks that share one eventfd: every message, no bell missed" \
	four 4

rm -f "$D/pair"
# Long ones: what is complete at once lets nobody sleep.
job pair 2 "$E2E/stream" -u 300 -l 300000 -s -p "$D/pair"
moved() {
	(($(counted "$D/pair" 0) > $1))
}
ok "a pair talks" eventually moved 100
rung() {
	(($(of pair bells_rung) > 0))
}
ok "by eventfds" eventually rung
is "without the daemon" "$(of pair rings_asked)" 0
like "status shows that they sleep so" \
	"$(for _ in {1..50}; do admin ranks | jq -r '.[] | .sleeping'; done | sort -u | tr '\n' ' ')" \
	"true"
is "each holds its own and one that all share" \
	"$(eventfds "${pid_of[pair.0]}")" 2

# ---- a daemon dies ----

ready_lines() {
	grep -c " ready version" "$D/daemon.log"
}
came_back() {
	(($(ready_lines) > $1))
}
bad=
for i in {1..5}; do
	n=$(ready_lines)
	e2e_kill KILL "$(daemon_worker)"
	eventually came_back "$n" || bad+="no daemon after kill $i"$'\n'
	a=$(counted "$D/pair" 0)
	eventually moved $((a + 50)) || bad+="the pair stands after kill $i"$'\n'
	job young 2 "$E2E/stream" -n 100 -l 4096 -u 100
	finish young
	[[ $(status young 0)$(status young 1) == 00 ]] ||
		bad+="kill $i: a new job: $(text young 0) $(text young 1)"$'\n'
done
is "five daemons die, the bells go on" "$bad" ""
is "and nobody holds more of them" "$(eventfds "${pid_of[pair.0]}")" 2
e2e_kill TERM "${pid_of[pair.0]}"
e2e_kill TERM "${pid_of[pair.1]}"
all_well "the pair has verified everything, no bell missed" pair 2

# ---- nothing for nothing ----

ticks() {
	local p sum=0 f
	for p; do
		f=$(<"/proc/$p/stat")
		f=${f##*) }
		# shellcheck disable=SC2086
		set -- $f
		sum=$((sum + ${12} + ${13}))
	done
	printf '%d\n' "$sum"
}
asleep() {
	admin ranks | jq -e '[.[] | select(.job == "idle")] |
		length == 16 and all(.[]; .sleeping and .call == "recv")' \
		>/dev/null
}
job idle 16 "$E2E/quiet" wait
ok "16 ranks sleep on one eventfd" eventually asleep
pids=()
for r in {0..15}; do
	pids+=("${pid_of[idle.$r]}")
done
before=$(ticks "${pids[@]}")
sleep 3
used=$(($(ticks "${pids[@]}") - before))
ok "they use no CPU in 3 s (${used} ticks)" test "$used" -le 1
# One of them dies: the others, who sleep, hear of it at once.
start=$(date +%s%N)
e2e_kill KILL "${pid_of[idle.3]}"
finish idle
took=$((($(date +%s%N) - start) / 1000000))
like "a death ends a sleep on eventfds" "$(text idle 2)" "the peer died"
ok "at once ($took ms)" test "$took" -lt 900
for p in "${pids[@]}"; do
	e2e_kill KILL "$p"
done

# ---- who spoils them ----

# spoiled NAME WAY: what becomes of a job of the same domain, of the daemon and
# of the other domain, while somebody does that.
spoiled() {
	local start took r
	job "spoil-$2" 2 "$E2E/bellspoil" "$2"
	ok "$1: it has them" eventually grep -q "2 bells" "$D/spoil-$2.0.out"
	start=$(date +%s%N)
	ok "$1: the daemon answers" admin version
	took=$((($(date +%s%N) - start) / 1000000))
	ok "$1: at once ($took ms)" test "$took" -lt 500
	# A bell may be lost: then the look after a second finds the message.
	job "meet-$2" 2 "$E2E/stream" -n 30 -l 4096 -u 300
	finish "meet-$2"
	for r in 0 1; do
		like "$1: who shares them gets every message all the same" \
			"$(status "meet-$2" $r) $(text "meet-$2" $r)" \
			"^(0 |[0-9]+ .*bells were missed)"
	done
	bystander_moves "$1"
	e2e_kill KILL "${pid_of[spoil-$2.0]}"
	e2e_kill KILL "${pid_of[spoil-$2.1]}"
	finish "spoil-$2"
	job "after-$2" 3 "$E2E/stream" -n 200 -l 20000 -u 300
	finish "after-$2"
	# The first sleep may find a counter that is full still.
	like "$1: afterwards it is as before" \
		"$(status "after-$2" 0)$(status "after-$2" 1)$(status "after-$2" 2)" \
		"^000$"
}
spoiled "somebody fills eventfds and takes O_NONBLOCK off" fill
spoiled "somebody reads them away" eat
spoiled "somebody rings all the time" storm

bystander_end
ok "the books of both domains balance" eventually eval \
	'[[ $(admin pool | jq "[.arenas[] | .arena_bytes - .free_bytes] | add") == 0 ]]'
ok "the daemon is alive" admin version
daemon_stop
is "the daemon stops" "$daemon_status" 0
done_testing
