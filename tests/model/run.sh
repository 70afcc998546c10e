#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh - the models of the ordering edges, and their mutants
# timeout: 300
#
# Usage: run.sh [models|mutants|all]; models without a word.
#
#   *.pml      Spin: protocols, with store buffers where a fence matters
#   edges.c    the real shm/ and hal/ under ThreadSanitizer
#   litmus.c   all executions that C11 allows of an edge's accesses
#
# A model must hold.  A mutant is a model without one thing that an edge rests
# on (a fence, a second look, an acknowledgement, a release) and must fail: a
# model that can't fail says nothing.  The mutants of a Spin model are the
# MUTANT_ names in it; those of edges.c are listed below.
#
# MODEL_FULL=1: larger models, minutes.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

what=${1:-models}
CC=${CC:-cc}
full=(${MODEL_FULL:+-DMODEL_FULL})
hash=${MODEL_FULL:+27}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
command -v spin >/dev/null || skip_all "spin is not installed"
command -v "${CC%% *}" >/dev/null || skip_all "$CC is not there"

# Results wait in files of their own, so that jobs may end in any order.
jobs_n=0
# job NAME HOLDS|FAILS COMMAND...: status 0: it held; 1: it failed as a model
# does; 77: it can't run here; another: it is broken.
job() {
	local name=$1 want=$2 slot
	shift 2
	jobs_n=$((jobs_n + 1))
	slot=$tmp/$(printf %04d "$jobs_n")
	mkdir -p "$slot.d"
	printf '%s\n%s\n' "$name" "$want" >"$slot.job"
	while (($(jobs -rp | wc -l) >= $(nproc))); do
		wait -n
	done
	(
		cd "$slot.d" || exit 3
		"$@" >"$slot.log" 2>&1
		echo $? >"$slot.rc"
		cd / && rm -rf "$slot.d"
	) &
}

finish_jobs() {
	local slot name want rc
	wait
	for slot in "$tmp"/*.job; do
		[[ -f $slot ]] || continue
		slot=${slot%.job}
		{ read -r name; read -r want; } <"$slot.job"
		rc=$(cat "$slot.rc")
		case $want$rc in
		HOLDS0 | FAILS1) pass "$name" ;;
		HOLDS77 | FAILS77) skip "$name" "$(tail -n 1 "$slot.log")" ;;
		*) fail "$name" "status $rc"$'\n'"$(tail -n 30 "$slot.log")" ;;
		esac
	done
}

# ---- Spin ----

# spin_one MODEL DEFINE: status as above; the log shows the way to an error.
spin_one() {
	local errors
	spin -D"$2" "${full[@]}" -a "$top/tests/model/$1" || return 3
	# A mutant fails long before an optimizer has earned its time.
	"$CC" "$([[ $2 == MODEL ]] && echo -O1 || echo -O0)" -w -DSAFETY \
		-DMEMLIM=3000 -o pan pan.c || return 3
	./pan -m1000000 -w"${hash:-22}" >pan.out 2>&1
	cat pan.out
	grep -q 'max search depth too small\|memory limit\|out of memory' pan.out && return 3
	errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out)
	[[ -n $errors ]] || return 3
	[[ $errors == 0 ]] && return 0
	# On stderr of the job: the last steps.
	spin -D"$2" "${full[@]}" -t -p "$top/tests/model/$1" 2>&1 | tail -n 25
	return 1
}

spin_all() {
	local model mutant
	for model in sleep switch summary bell recall cancel quarantine move \
		registers look meet; do
		[[ $what != mutants ]] &&
			job "spin $model" HOLDS spin_one "$model.pml" MODEL
		[[ $what == models ]] && continue
		while read -r mutant; do
			job "spin $model, $mutant" FAILS spin_one "$model.pml" "$mutant"
		done < <(grep -o 'MUTANT_[A-Z_]*' "tests/model/$model.pml" | sort -u)
	done
}

# ---- ThreadSanitizer ----

flags=(-std=c11 -D_GNU_SOURCE -w -O1 -g -fsanitize=thread -pthread)
sources='tests/model/edges.c shm/*.c hal/*.c hal/emul/*.c hal/loongson/*.c'

# tsan_run BINARY EDGE
tsan_run() {
	local rc
	TSAN_OPTIONS=exitcode=66:halt_on_error=1 "$1" "$2" >run.out 2>&1
	rc=$?
	# Older runtimes and much address randomness do not go together.
	if grep -q 'unexpected memory mapping' run.out; then
		TSAN_OPTIONS=exitcode=66:halt_on_error=1 \
			setarch -R "$1" "$2" >run.out 2>&1
		rc=$?
	fi
	cat run.out
	case $rc in
	0) return 0 ;;
	66) return 1 ;;
	*) return 3 ;;
	esac
}

# tsan_one EDGE: the sources as they are.
tsan_one() {
	tsan_run "$tmp/edges" "$1"
}

# tsan_mutant EDGE FILE FUNCTION SED: a copy with one end of an edge relaxed.
# The change is made from the line with FUNCTION's name at its start to the
# first line that is a closing brace.
tsan_mutant() {
	local edge=$1 file=$2 function=$3 change=$4
	mkdir tests && cp -r "$top/include" "$top/shm" "$top/hal" . &&
		cp -r "$top/tests/model" tests/ || return 3
	sed "/^[a-z].*\\b$function(/,/^}/{$change}" "$top/$file" >"$file"
	cmp -s "$file" "$top/$file" &&
		{ echo "$file: $function() has nothing to weaken"; return 3; }
	# shellcheck disable=SC2086 # a list with patterns
	"$CC" "${flags[@]}" -Iinclude -I. -o edges $sources || return 3
	tsan_run ./edges "$edge"
}

relax() {
	printf 's/memory_order_%s/memory_order_relaxed/' "$1"
}

tsan_all() {
	local edge
	echo 'int main(void){return 0;}' >"$tmp/probe.c"
	if ! "$CC" "${flags[@]}" -o "$tmp/probe" "$tmp/probe.c" 2>/dev/null; then
		skip "tsan" "$CC has no -fsanitize=thread"
		return
	fi
	if [[ $what != mutants ]]; then
		# shellcheck disable=SC2086
		"$CC" "${flags[@]}" -Iinclude -I. -o "$tmp/edges" $sources ||
			fail "tsan: edges.c compiles"
		for edge in line run copy grant directory meet summary bell mail; do
			job "tsan $edge" HOLDS tsan_one "$edge"
		done
	fi
	[[ $what == models ]] && return
	mutant() { job "tsan $1, $2" FAILS tsan_mutant "$1" "${@:3}"; }
	mutant line 'LINE, publish relaxed' shm/ring.h shm_tx_publish "$(relax release)"
	mutant line 'LINE, peek relaxed' shm/ring.h shm_rx_peek "$(relax acquire)"
	mutant line 'SPACE, tell relaxed' shm/ring.h shm_rx_tell "$(relax release)"
	mutant line 'SPACE, refresh relaxed' shm/ring.c shm_tx_refresh "$(relax acquire)"
	mutant run 'LINE, publish relaxed' shm/ring.c shm_tx_publish_run "$(relax release)"
	mutant copy 'COPY, give acquires only' shm/block.c change 's/order_acq_rel/order_acquire/'
	# Either of take's two accesses acquires: both are weakened.
	mutant copy 'COPY, take relaxed' shm/block.c '\(shm_block_take\|shm_block_look\)' \
		's/order_acq_rel/order_release/;s/order_acquire/order_relaxed/'
	mutant grant 'RECALL, give acquires only' shm/block.c change 's/order_acq_rel/order_acquire/'
	mutant directory 'DIRECTORY, announce relaxed' shm/job.c shm_job_announce "$(relax release)"
	mutant directory 'DIRECTORY, channel relaxed' shm/job.c shm_job_channel "$(relax acquire)"
	mutant meet 'ARRIVED, say relaxed' shm/meet.c say "$(relax release)"
	mutant meet 'ARRIVED, is_there relaxed' shm/meet.c is_there "$(relax acquire)"
	mutant summary 'SUMMARY, flag relaxed' shm/wake.c shm_wake_flag "$(relax release)"
	mutant summary 'SUMMARY, collect relaxed' shm/wake.c shm_wake_collect "$(relax acquire)"
	mutant bell 'BELL, ring relaxed' hal/emul/doorbell.c emul_ring "$(relax seq_cst)"
	mutant bell 'BELL, take relaxed' hal/emul/doorbell.c emul_take "$(relax acquire)"
	mutant mail 'MAIL, send relaxed' hal/emul/emul.c emul_mail_send "$(relax release)"
	mutant mail 'MAIL, recv relaxed' hal/emul/emul.c emul_mail_recv "$(relax acquire)"
}

# ---- litmus ----

litmus_all() {
	local line verdict
	if ! "$CC" -std=c11 -D_GNU_SOURCE -O1 -w -I. -o "$tmp/litmus" tests/model/litmus.c; then
		fail "litmus.c compiles"
		return
	fi
	while read -r line; do
		verdict=${line%% - *}
		if [[ $verdict == ok* ]]; then
			pass "${line#* - }"
		else
			fail "${line#* - }"
		fi
	done < <("$tmp/litmus" "$([[ $what != all ]] && echo "$what")" || echo "# status $?")
}

top=$PWD
spin_all
tsan_all
finish_jobs
litmus_all
done_testing
