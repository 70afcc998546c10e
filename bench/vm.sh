#!/bin/bash
# SPDX-License-Identifier: MIT
# vm.sh - ranks in two guests and on the host, pair by pair, and TCP: `make run-vm`
#
# Usage: bench/vm.sh [--ms MS] [--wakes N] [--out FOLDER]
#
# Boots two guests under QEMU (tests/vm/guest.sh), each with SNOO's two devices
# and a virtio-net to the other.  Over that, in the same boot: TCP between the
# guests (bench/vm_tcp.c), then a job with two ranks on the host and one in each
# guest (bench/vm.c) that polls, then one whose ranks sleep before each message.
#
# Leaves vm.json, vm.svg and vm.png in FOLDER, or run-vm/ of the build folder.
set -u
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/guest.sh
. "$TOP/tests/vm/guest.sh"

MS=150			# for each figure
WAKES=60		# messages to a sleeper, each pair
OUT=
MTU=65000		# measured best for TCP's bandwidth
POLL_US=20000		# ranks of the polling job spin so long
BETTER_LATENCY=20	# what is wanted of the guests' pair
BETTER_BANDWIDTH=5

while (($#)); do
	[[ $1 == --* && $# -ge 2 ]] || die "$1: a value is missing, or it is no option"
	case $1 in
	--ms) MS=$2 ;;
	--wakes) WAKES=$2 ;;
	--out) OUT=$2 ;;
	*) die "unknown option $1: --ms, --wakes and --out are known" ;;
	esac
	shift 2
done

bench_begin bin/snoo-daemon bin/snooctl bench/vm bench/vm_tcp vm/prog/agent \
	vm/prog/link vm/prog/cmd
vm_bench_end() {
	local status=$?
	vm_cleanup
	(exit "$status")
	bench_end
}
trap vm_bench_end EXIT
says=$(vm_image 2>&1) || die "no guests: ${says##*$'\n'}"
OUT=${OUT:-$B/run-vm}
mkdir -p "$OUT"
D=$BENCH_TMP/run
LINES=$BENCH_TMP/lines
: >"$LINES"
machine=$(machine_json)
begin=$SECONDS

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# ---- host daemon and guests --------------------------------------------------

# configure SPIN-US: of jobs that begin from now on.
configure() {
	cat >"$BENCH_TMP/conf" <<-END
	{"domains": {"default": {
		"pool": {"size_bytes": "64M"},
		"ivshmem": {"slots": 3, "pin_vcpus": true},
		"spin_us": $1}}}
	END
	[[ -z $DAEMON_PID ]] || kill -HUP "$DAEMON_PID"
}
spin_is() {
	[[ $("$B/bin/snooctl" --json config |
		jq '[.. | objects | .spin_us? // empty][0]') == "$1" ]]
}
await() {
	local what=$1 end=$((SECONDS + 60))
	shift
	until "$@"; do
		((SECONDS < end)) || {
			for v in "${!vm_pid[@]}"; do vm_tell "$v" >&2; done
			tail -n 20 "$BENCH_TMP/daemon.log" >&2
			die "$what: waited for 60 s"
		}
		sleep 0.05
	done
}
live() {
	(($("$B/bin/snooctl" --json vms |
		jq '[.. | objects | select(.state? == "live")] | length') == 2))
}

say "Two ranks on the host, one in each of two guests, pair by pair."
machine_line "$machine"
configure "$POLL_US"
daemon_start --config "$BENCH_TMP/conf"
start=$(now_ms)
vm_start vm-a "net=$D/a.net,$D/b.net,10.0.0.1" "mtu=$MTU" ||
	die "vm-a does not start"
vm_start vm-b "net=$D/b.net,$D/a.net,10.0.0.2" "mtu=$MTU" ||
	die "vm-b does not start"
await "vm-a boots" vm_up vm-a
await "vm-b boots" vm_up vm-b
up=$(($(now_ms) - start))
await "the guest daemons" live
live_after=$(($(now_ms) - start))
qemu=$("$VM_QEMU" --version | awk 'NR == 1 { print $4 }')
kernel=$(vm_cmd vm-a 0 uname -r)
say "  guests   $kernel in QEMU $qemu, TCG, one vCPU each, pinned, vIOMMU"

# job OPTION...: rank 0's lines; all four end well, or we say who did not.
job() {
	local out=$BENCH_TMP/job r n=$((++jobs)) bad=
	local -a pids=()
	local -a name=("SNOO_SIZE=4" "SNOO_LAUNCH=$n")
	for r in 0 1; do
		env "${name[@]}" SNOO_RANK=$r BENCH_WHERE=host "$B/bench/vm" \
			-t "$MS" "$@" >"$out.$r" 2>&1 &
		pids[r]=$!
	done
	for r in 2 3; do
		"$VM_BIN/cmd" "$D/vm-$( ((r == 2)) && echo a || echo b).cmd" 1001 \
			env "${name[@]}" SNOO_RANK=$r SNOO_SOCKET=/run/snoo/default.sock \
			/snoo/bench/vm -t "$MS" "$@" >"$out.$r" 2>&1 </dev/null &
		pids[r]=$!
	done
	[[ -z ${hold:-} ]] || read_counters "$out.0" "${pids[0]}"
	for r in 0 1 2 3; do
		wait "${pids[r]}" || bad+=" rank $r: status $?, $(tail -n 1 "$out.$r")."
	done
	[[ -z $bad ]] || die "bench/vm $*:$bad"
	cat "$out.0" >>"$LINES"
}
jobs=0

# Ranks stay until their counters are read; all 12 pairs have been measured then.
read_counters() {
	until (($(grep -c vm-wake "$1") == 12)) || ! kill -0 "$2" 2>/dev/null; do
		sleep 0.05
	done
	counters=$("$B/bin/snooctl" --json ranks)
	rm -f "$hold"
}

# ---- measure -----------------------------------------------------------------

job -1
first=$(($(now_ms) - start))
say "  first    message in each rank $first ms after QEMU's start (guests up after $up ms, welcomed after $live_after ms)"

vm_cmd vm-a 1001 /snoo/bench/vm_tcp serve 7000 >"$BENCH_TMP/serve" 2>&1 &
server=$!
listens() { vm_cmd vm-a 0 grep -q ':1B58 ' /proc/net/tcp; }
await "the TCP server" listens
vm_cmd vm-b 1001 /snoo/bench/vm_tcp 10.0.0.1 7000 "$((MS * 2))" >>"$LINES" ||
	die "TCP between the guests: $(cat "$BENCH_TMP/serve")"
wait "$server" || die "TCP between the guests: $(cat "$BENCH_TMP/serve")"

job
configure 0
await "the new spin_us" spin_is 0
hold=$BENCH_TMP/hold
: >"$hold"
counters='[]'
job -w "$WAKES" -h "$hold"
spent=$((SECONDS - begin))

# ---- tell --------------------------------------------------------------------

grep '^{"bench"' "$LINES" | jq -s --argjson machine "$machine" --argjson counters "$counters" \
	--arg qemu "QEMU $qemu, TCG, -smp 1, q35, intel-iommu" --arg kernel "$kernel" \
	--argjson mtu "$MTU" --argjson spent "$spent" --argjson wakes "$WAKES" \
	--argjson up "$up" --argjson live "$live_after" --argjson first "$first" \
	--argjson want_latency "$BETTER_LATENCY" --argjson want_bandwidth "$BETTER_BANDWIDTH" '
	def of(b): [.[] | select(.bench == b)];
	def ours: map(select(.api == "snoo"));
	def tcp(b): [.[] | select(.bench == b and (.api | startswith("tcp")))];
	def guests: .from_where != "host" and .to_where != "host";
	(of("vm-latency") | ours) as $lat | (of("vm-bandwidth") | ours) as $bw
	| tcp("vm-latency") as $tlat | tcp("vm-bandwidth") as $tbw
	| of("vm-wake") as $wake
	| ([$lat[] | select(guests) | .ns][0]) as $l
	| ([$tlat[].ns] | min) as $tl
	| ([$counters | .. | objects | select(has("counters"))
		| {rank, sleeps: .counters.sleeps, missed_bells: .counters.missed_bells,
			wakes_sent: .counters.wakes_sent}] | sort_by(.rank)) as $slept
	| { what: "latency and bandwidth by pair, two ranks on the host and one in each of two guests",
	  machine: $machine,
	  settings: {qemu: $qemu, kernel: $kernel, virtual_net: "virtio-net, dgram over Unix sockets, mtu \($mtu)",
		tcp: "TCP_NODELAY, the better of polling and blocking"},
	  seconds: $spent,
	  boot_ms: {up: $up, welcomed: $live, first_message: $first},
	  latency: $lat, bandwidth: $bw, wake: $wake,
	  verified_bytes: (of("vm-proof") | map(.verified_bytes) | add),
	  tcp_latency: $tlat, tcp_bandwidth: $tbw,
	  sleepers: $slept,
	  guests: {
		latency_ns: $l, tcp_latency_ns: $tl, latency_ratio: ($tl / $l),
		bandwidth: [65536, 1048576 | . as $n
			| ([$bw[] | select(guests and .bytes == $n) | .mbps] | min) as $s
			| ([$tbw[].mbps] | max) as $t
			| {bytes: $n, mbps: $s, tcp_mbps: $t, ratio: ($s / $t)}],
		wake_round_ns: ([$wake[] | select(guests) | .round_ns] | max) },
	  wanted: {latency_ratio: $want_latency, bandwidth_ratio: $want_bandwidth} }
	| . + {met: {latency: (.guests.latency_ratio >= $want_latency),
		bandwidth: all(.guests.bandwidth[]; .ratio >= $want_bandwidth),
		asleep: (($slept | length) == 4 and all($slept[]; .sleeps >= $wakes)),
		missed_bells: ([$slept[].missed_bells] | add)}}' \
	>"$OUT/vm.json" || die "cannot write $OUT/vm.json"

say
jq -r -f "$TOP/bench/vm_table.jq" "$OUT/vm.json"
say

if command -v gnuplot >/dev/null; then
	"$TOP/bench/vm_plot.sh" "$OUT/vm.json" "$OUT/vm" || die "gnuplot failed"
	say "Plot: $OUT/vm.svg and vm.png; figures: vm.json.  $spent s."
else
	say "Figures: $OUT/vm.json.  No plot: gnuplot is not installed.  $spent s."
fi
