# SPDX-License-Identifier: MIT
# table.jq - the tables of bench.json, for people

def cell(w): tostring | (" " * ([w - length, 0] | max)) + .;
def left(w): tostring | . + (" " * ([w - length, 0] | max));
def human: if . >= 1048576 then "\(. / 1048576) MiB"
	elif . >= 1024 then "\(. / 1024) KiB" else "\(.) B" end;
def num: if . >= 100 then round else . * 10 | round / 10 end;
# Ours with the smallest and the largest, a peer with half of that span.
def ours: if . then "\(.median | num | cell(9))  "
	+ ("\(.min | num)..\(.max | num)" | left(17)) else "        -" + " " * 19 end;
def peer: if . then (.median | num | cell(9))
	+ (" ±\((.max - .min) / 2 / .median * 100 | round)%" | left(7))
	else "        -       " end;
def times: if . then "\(. * 100 | round / 100)x" else "-" end | cell(8);
def times($p): if . then "\(. * 100 | round / 100)x" else "-" end | cell($p);
def path($p): if . <= $p.register_max then "register"
	elif . <= $p.lines_max then "lines"
	elif . <= $p.block_max then "block" else "streamed" end;
def columns: "     SNOO  \("min..max" | left(17))    MPICH         Open MPI              UCX"
	+ "              MPI    peer   limit";
def point: (.snoo | ours) + (.mpich | peer) + (.openmpi | peer) + (.ucx | peer)
	+ (.ratio | times) + (.ratio_best | times) + (.x_limit | times);
def head($first): ($first | left(20)) + columns;
def scaled(f): with_entries(if (.value | type) == "object" then .value |= map_values(. / f) else . end);
def us: if . == null then "-" else . / 1000 | if . >= 100 then round else . * 100 | round / 100 end end;
def kib: if . == null then "-" else . / 1024 | num end;
def micro: if . then "\(.median | us)" else "-" end | cell(11);
def percent: . * 1000 | round / 10;
def row($p): (.bytes | human | cell(9)) + "  " + (.bytes | path($p) | left(9)) + point;

# What two ranks do, at one distance of their cores; $many: at several.
def pair($p; $many):
  (if $many then (if .distance == "usual" then "The cores as far from each other as most of the time" else "The cores \(.distance)" end)
	+ ": a bare line takes \(.bare_line_ns.two_lines.median | num) ns one way "
	+ "(\(.bare_line_ns.two_lines | "\(.min | num)..\(.max | num)")); points taken here: "
	+ ([.taken | to_entries[] | select(.value > 0) | "\(.key) \(.value)"] | join(", ")) + ".", "" else empty end),
  "One-way latency, ns (half a round of a ping-pong, 2 ranks)",
  head("    bytes  path"),
  (.latency_ns[] | row($p)),
  "",
  (if .bare_line_ns.two_lines then
  "The bare cache line, one way: \(.bare_line_ns.two_lines.median | num) ns with a line for each "
	+ "direction (\(.bare_line_ns.two_lines | "\(.min | num)..\(.max | num)"))"
	+ (if .bare_line_ns.stream then ", \(.bare_line_ns.one_line.median | num) ns with one for both; "
	+ "in a stream \(.bare_line_ns.stream.median | num) ns a line." else "." end) else empty end),
  "",
  "Bandwidth, MB/s (windows of 64, one direction, 2 ranks)",
  (head("    bytes  path") + "   memcpy"),
  (.bandwidth_mbps[] | row($p) + (.limit | if . then num else "-" end | cell(9))),
  "",
  "Without kernel-assisted single copy (CMA), as between containers or VMs; SNOO the same as above",
  ("    bytes                SNOO  \("min..max" | left(17))    MPICH         Open MPI           MPI   the same with CMA"),
  ((.latency_ns[] | select(.ratio_nocma)
	| "\(.bytes | human | cell(9))  ns       " + (.snoo | ours) + (.mpich_nocma | peer)
		+ (.openmpi_nocma | peer) + (.ratio_nocma | times) + (.ratio | times)),
   (.bandwidth_mbps[] | select(.ratio_nocma)
	| "\(.bytes | human | cell(9))  MB/s     " + (.snoo | ours) + (.mpich_nocma | peer)
		+ (.openmpi_nocma | peer) + (.ratio_nocma | times) + (.ratio | times))),
  "",
  "Messages per second, in thousands (windows of 64)",
  head("    bytes  path"),
  (.rate_per_s[] | select(.bytes <= 1024 and (.bytes | IN(1, 8, 56, 64, 1024)))
	| . + scaled(1000) | row($p)),
  "",
  "Barrier of 2 ranks, ns",
  (.barrier_ns[] | " " * 20 + point),
  "",
  "Loans, one way, ns: built in the pool and read there; against the smallest",
  (.loan_ns[] | (.bytes | human | cell(9)) + " " * 11 + (.snoo | ours) + (.ratio_first | times)),
  "";

. as $all
| .switch_points as $p
| (.distances | length > 1) as $many
| (.distances[] | pair($p; $many)),
  (if (.late_ns | length) > 0 then
	"Late messages, ns: there and back to one who waited while the sender computed",
	head("computed"),
	(.late_ns[] | "\(.rest_us | cell(6)) us" + " " * 11 + point),
	""
   else empty end),
  (if (.crowd | length) > 0 then
	"More ranks than cores (\(.machine.cores)), us: ping-pong of neighbours one way, ring by the hop",
	head("ranks pattern"),
	(.crowd | sort_by([.ranks, (.pattern == "beside")]) | .[] | select(.pattern != "beside")
		| scaled(1000) | "\(.ranks | cell(3)) "
		+ (.pattern + (if .bytes > 0 then " \(.bytes | human)" else "" end) | left(16))
		+ point),
	"Allreduce of 8 bytes: " + ([.sums_by | to_entries[] | "\(.key): \(.value)"] | join("; ")) + ".",
	"",
	"Two ranks that wait for each other, and one that computes, all on one core",
	head("one way, us"),
	(.crowd[] | select(.pattern == "beside") | scaled(1000) | " " * 20 + point),
	"What the computing rank got of the core: "
		+ ([.compute_share | to_entries[] | select(.value)
		| "\(.key) \(.value.median | percent) %"] | join(", ")) + ".",
	""
   else empty end),
  (if (.growth | length) > 0 then
	"Growth: one job on \(.machine.cores) cores; times in us, memory in KiB",
	"ranks   attach    of it    pool,    rings,  private,   ring, one  from a known   from any   all to one,    barrier",
	"          job  per rank  per rank  per rank  rank 0    pair         source         source   per message",
	(.growth[] | (.ranks | cell(5))
		+ (.attach_ms.median * 1000 | round | cell(9))
		+ (.attach_ms.median * 1000 / .ranks | round | cell(9))
		+ (.pool_bytes_per_rank.median | kib | cell(10))
		+ (.rings_bytes_per_rank.median | kib | cell(10))
		+ (.private_bytes.median | kib | cell(9))
		+ (.ring_bytes_per_pair.median | kib | cell(8))
		+ (.known_source_ns | micro | cell(15)) + (.any_source_ns | micro | cell(14))
		+ (.gather_ns | micro | cell(14)) + (.barrier_ns | micro)),
	""
   else empty end),
  (if .shares.streams then
	"Jobs that stream at once while the pool is short",
	"                       weight       MB/s      share     wanted      error",
	((.shares.streams[] + {what: "three stream"}), (.shares.computes[]? + {what: "\"four\" computes"})
		| "\(.what | left(16))  \(.job | left(5))\(.weight | cell(6))\(.mbps.median | num | cell(11))"
		+ "\(.share.median | percent | cell(9)) %\(.wanted | percent | cell(9)) %"
		+ "\(.error_percent | . * 10 | round / 10 | cell(9)) %"),
	"The pool was short in the middle of \(.shares.short.streams // 0) and \(.shares.short.computes // 0) of "
		+ "\([.samples[] | select(.bench == "short" and .case == "streams")] | length) spans.",
	((.shares.limit | select(.) + {what: "alone"}), (.shares.limit_beside | select(.) + {what: "beside a greedy job"})
		| "Rate limit of \(.wanted / 1e6 | num) MB/s, \(.what): \(.got.median / 1e6 | num) MB/s, "
		+ "error \(.error_percent * 10 | round / 10) %"),
	"",
	"A ping-pong beside others, whole rounds, us: median, p99, p99.9, worst",
	(.shares.tail[] | .bytes as $n
		| ((["alone", .alone], ["two loops that know nothing of SNOO", .hogs], ["a greedy stream", .greedy])
		| "\($n | human | cell(9))  \(.[0] | left(36))\(.[1].median_ns | micro)\(.[1].p99_ns | micro)"
		+ "\(.[1].p999_ns | micro)\(.[1].max_ns | micro)")),
	""
   else empty end),
  "What was to be reached",
  (.targets[] | "  \(if .met == null then "not measured" elif .met then "met" else "MISSED" end | left(13))"
	+ "\(.what | left(62))"
	+ (if .value == null then "" else
	"\(.value * 100 | round / 100 | cell(9))  \(if .more_is_better then "at least" else "at most " end) \(.wanted)"
	+ (if .where then "  (worst: \(.where))" else "" end) end)),
  (.failures[] | "  FAILED, status \(.status), \(.times) times: \(.api): \(.command)"),
  "",
  (if .moved > 0 then "\(.moved) points are left out: the cores moved while they were taken, each time they were tried." else empty end),
  (.machine.load_before? // "0" | split(" ")[0] | tonumber
	| if . > 0.5 then "The machine was busy before (load \(.)): ranks that lose their cores measure the scheduler. Measure again." else empty end),
  (if $many then "Closer, farther: where the host had put the two cores, told by the bare line before and after each point;" else empty end),
  "Medians of \(.rounds) rounds; MPI, peer: SNOO against the better MPI, and the best peer, above 1 SNOO is better;",
  "limit: time against what the machine can do at best, 1 is the limit."
