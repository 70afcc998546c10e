# SPDX-License-Identifier: MIT
# table.jq - the tables of bench.json, for people

def cell(w): tostring | (" " * ([w - length, 0] | max)) + .;
def left(w): tostring | . + (" " * ([w - length, 0] | max));
def human: if . >= 1048576 then "\(. / 1048576) MiB"
	elif . >= 1024 then "\(. / 1024) KiB" else "\(.) B" end;
def num: if . >= 100 then round else . * 10 | round / 10 end;
def col: if . then "\(.median | num | cell(9))  "
	+ ("\(.min | num)..\(.max | num)" | left(17)) else "        -" + " " * 19 end;
def times: if . then "\(. * 100 | round / 100)x" | cell(8) else "       -" end;
def path($p): if . <= $p.register_max then "register"
	elif . <= $p.lines_max then "lines"
	elif . <= $p.block_max then "block" else "streamed" end;
def head($first): ($first | cell(9)) + "           "
	+ (["SNOO", "MPICH", "Open MPI"] | map(cell(9) + "  " + ("min..max" | left(17))) | add);

. as $all
| .switch_points as $p
| .bare_line_ns.two_lines.median as $bare
| "One-way latency, ns (half a round of a ping-pong, 2 ranks)",
  (head("bytes") + "  gain    x bare line"),
  (.latency_ns[] | "\(.bytes | human | cell(9))  \(.bytes | path($p) | left(9))"
	+ (.snoo | col) + (.mpich | col) + (.openmpi | col) + (.ratio | times)
	+ (if .bytes <= $p.register_max then "   \(.snoo.median / $bare * 100 | round / 100)"
	   else "" end)),
  "",
  "The bare cache line, one way: \(.bare_line_ns.two_lines.median | num) ns with a line for each "
	+ "direction (\(.bare_line_ns.two_lines | "\(.min | num)..\(.max | num)")), "
	+ "\(.bare_line_ns.one_line.median | num) ns with one for both.",
  "",
  "Bandwidth, MB/s (windows of 64, one direction, 2 ranks)",
  (head("bytes") + "  gain    memcpy"),
  (.bandwidth_mbps[] | .bytes as $n
	| "\(.bytes | human | cell(9))  \(.bytes | path($p) | left(9))"
	+ (.snoo | col) + (.mpich | col) + (.openmpi | col) + (.ratio | times)
	+ ([$all.memcpy_mbps[] | select(.bytes == $n) | .median | num] | .[0] // "-" | cell(10))),
  "",
  "Messages of 8 bytes per second, in thousands (windows of 64)",
  (.rate_per_s[] | select(.bytes == 8)
	| map_values(if type == "object" then map_values(. / 1000) else . end)
	| "                    " + (.snoo | col) + (.mpich | col) + (.openmpi | col) + (.ratio | times)),
  "",
  "Barrier of 2 ranks, ns",
  (.barrier_ns[] | "                    " + (.snoo | col) + (.mpich | col)
	+ (.openmpi | col) + (.ratio | times)),
  (if (.four_ranks.latency_ns | length) > 0 then
	"",
	"4 ranks on \(.machine.cores) cores: two ping-pongs at a time, one way, ns",
	(.four_ranks.latency_ns[] | "\(.bytes | human | cell(9))  \(.bytes | path($p) | left(9))"
		+ (.snoo | col) + (.mpich | col) + (.openmpi | col) + (.ratio | times)),
	"4 ranks on \(.machine.cores) cores: barrier, ns",
	(.four_ranks.barrier_ns[] | "                    " + (.snoo | col) + (.mpich | col)
		+ (.openmpi | col) + (.ratio | times))
   else empty end),
  "",
  "Medians of \(.rounds) rounds with the smallest and largest; gain: against the better MPI, above 1 is better."
