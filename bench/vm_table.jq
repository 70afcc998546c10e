# SPDX-License-Identifier: MIT
# vm_table.jq - vm.json of vm.sh for people

def right(w): tostring | (" " * ([w - length, 0] | max)) + .;
def left(w): tostring | . + (" " * ([w - length, 0] | max));
def short: if . < 10 then . * 100 | round / 100
	elif . < 100 then . * 10 | round / 10 else round end;
def us: . / 1000 | short;
def times: "\(if . < 10 then . * 10 | round / 10 else round end) x";
def where($all; $r): [$all.latency[] | if .from == $r then .from_where
	elif .to == $r then .to_where else empty end][0];

# matrix(f): f of [from, to]
def matrix(f): . as $all | ([.latency[].to] | max) as $last
	| ("    from        to " + ([range($last + 1) as $b
		| "\($b) \(where($all; $b))" | right(10)] | join(""))),
	(range($last + 1) as $a | "    \("\($a) \(where($all; $a))" | left(15))"
		+ ([range($last + 1) as $b | if $a == $b then "-"
			else [$a, $b] as $pair | $all | ($pair | f) end
			| right(10)] | join("")));

def bandwidth($all; $n): . as $p | [$all.bandwidth[]
	| select(.bytes == $n and [.from, .to] == $p) | .mbps | round][0];
def verdict(met; want): if met then "wanted \(want), met" else "wanted \(want), MISSED" end;

. as $all
| "One way, 8 bytes, both ends polling: us, median of 5 runs",
matrix(sort as $p | [$all.latency[] | select([.from, .to] == $p) | .ns | us][0]),
"",
"Bandwidth, 64 KiB messages in windows of 16: MB/s",
matrix(bandwidth($all; 65536)),
"",
"Bandwidth, 1 MiB messages: MB/s",
matrix(bandwidth($all; 1048576)),
"",
"A message to a rank that sleeps (to), and its answer, which is polled for: us, median",
matrix(. as $p | [$all.wake[] | select([.from, .to] == $p) | .round_ns | us][0]),
"",
"vm-a to vm-b         SNOO          TCP over virtio-net       ratio",
"    8 B one way    \(.guests.latency_ns | us | right(8)) us   \(.guests.tcp_latency_ns | us | right(8)) us   \(.guests.latency_ratio | times | right(14))   \(verdict(.met.latency; "\(.wanted.latency_ratio) x"))",
(.guests.bandwidth[] | "    \(if .bytes == 65536 then "64 KiB" else "1 MiB " end)         \(.mbps | round | right(8)) MB/s \(.tcp_mbps | round | right(8)) MB/s \(.ratio | times | right(14))   \(verdict(.ratio >= $all.wanted.bandwidth_ratio; "\($all.wanted.bandwidth_ratio) x"))"),
"    TCP: " + ([.tcp_latency[] | "\(.api | ltrimstr("tcp ")) \(.ns | us) us one way"] | join(", "))
	+ "; the better one counts, and its best bandwidth.",
"",
"Asleep: \([.sleepers[] | "rank \(.rank) slept \(.sleeps) times"] | join(", ")); missed_bells \(.met.missed_bells)"
	+ (if .met.asleep and .met.missed_bells == 0 then "."
		else ": NOT as wanted." end),
"Boot: guests up after \(.boot_ms.up) ms, welcomed after \(.boot_ms.welcomed) ms, first message in every rank after \(.boot_ms.first_message) ms.",
"Verified, byte by byte, on all paths: \(.verified_bytes) bytes.",
"",
"Ranks poll for 20 ms here, so a pair that shares a core takes turns there, a scheduler slice",
"each: hundreds of microseconds a message.  On fewer than four cores some pairs do.",
"",
"What of this holds under KVM: polling and copying touch memory alone, no hypervisor,",
"so a guest runs them at the speed of its processor: the host's own pair shows it.",
"TCG runs a guest's code some ten times slower, so guest figures say little in themselves.",
"The ratios say: what is compared is code of the library against a network stack, exits and",
"copies of QEMU, both under TCG.  Wake-ups under KVM go by irqfd and ioeventfd, without QEMU's",
"main loop, so they are faster.  Not shown here: the memory type of BAR2 (uncached on AMD),",
"vhost-net, which makes virtio-net faster than QEMU does, several sockets."
