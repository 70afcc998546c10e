# SPDX-License-Identifier: MIT
# summary.jq - samples of run.sh in, medians and spread for each point out
#
# Every point: {median, min, max} for each library that was there, and
#
#	ratio		SNOO against the better MPI, above 1 where SNOO is better
#	best_peer	the best of all peers in its usual setting
#	ratio_best	SNOO against that one
#	ratio_nocma	against the better MPI without CMA
#	limit		what the machine can do at best
#	x_limit		how many times as long SNOO takes: 1 is the limit
#
# What two ranks do is told by the distance of their cores (pair.sh): each in
# .distances, and at the top the one at which most was measured.

def median: sort | if length % 2 == 1 then .[(length - 1) / 2]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def stat: if length == 0 then null
	else {median: median, min: min, max: max} end;
def mpis: ["mpich", "openmpi"];
def peers: mpis + ["ucx"];
def nocma: ["mpich_nocma", "openmpi_nocma"];
def libs: ["snoo"] + peers + nocma;

# compare(less; limit): a point with its ratios; less: smaller is better.
def compare(less; limit):
	. as $p
	| def best(names): [names[] as $n | $p[$n] | select(.)
			| {name: $n, median: .median}]
		| if length == 0 then null
		elif less then min_by(.median) else max_by(.median) end;
	def gain($peer): if $p.snoo == null or $peer == null then null
		elif less then $peer.median / $p.snoo.median
		else $p.snoo.median / $peer.median end;
	(limit) as $limit
	| . + {ratio: gain(best(mpis)), best_peer: (best(peers) | .name?),
		ratio_best: gain(best(peers)), ratio_nocma: gain(best(nocma)),
		limit: $limit,
		x_limit: (if $p.snoo == null or $limit == null then null
			elif less then $p.snoo.median / $limit
			else $limit / $p.snoo.median end)};

# Points of one benchmark; want: which samples; value: the figure of a sample.
def points(name; want; value; less; limit):
	[.[] | select(.bench == name and want)]
	| group_by([.ranks, .bytes, .rest_us])
	| map(. as $s | {ranks: .[0].ranks, bytes: .[0].bytes}
		+ (.[0] | if .rest_us then {rest_us} else {} end)
		+ (reduce libs[] as $l ({}; .[$l] =
			([$s[] | select(.api == $l) | value] | stat)))
		| compare(less; limit));
def points(name; want; value; less): points(name; want; value; less; null);

def crowd(name; value): points(name; .ranks > 2; value; true)
	| map({pattern: name} + .);

# A loan costs the same whatever its size: each against the smallest.
def loans: points("loan"; true; .ns / 2; true)
	| .[0] as $first
	| map({bytes, snoo, ratio_first: (.snoo.median / $first.snoo.median)});

# ---- growth ----

def growth:
	. as $all
	| [$all[] | select(.bench == "growth" and .stage == "done") | .ranks] | unique
	| map(. as $n
		| def of(s): [$all[] | select(.bench == "growth_memory"
			and .ranks == $n and .stage == s)];
		def each(f): [$all[] | select(.bench == "growth"
			and .ranks == $n and .stage == "done") | f] | stat;
		{ranks: $n,
		 attach_ms: each(.attach_ns / 1e6),
		 pool_bytes_per_rank: ([of("attached")[] | .used_bytes / $n] | stat),
		 rings_bytes_per_rank: ([of("attached")[] | .rings_bytes / $n] | stat),
		 private_bytes: each(.private_bytes),
		 ring_bytes_per_pair: ([of("talked")[] | .channel_bytes / ($n - 1)] | stat),
		 channels: ([of("talked")[] | .channels] | stat),
		 known_source_ns: each(.known_ns / 2),
		 any_source_ns: each(.any_ns / 2),
		 gather_ns: each(.gather_ns),
		 barrier_ns: each(.barrier_ns)});

# ---- shares ----

# Fewer than two arrivals in the span: nothing that can be told as a speed.
def speed: if .ns > 0 then .bytes / .ns else 0 end;
def weights: {one: 1, two: 2, four: 4};
# streams(case; jobs): each job's share of what those jobs have moved.
def streams(case; jobs):
	[.[] | select(.bench == "flow" and .case == case)] as $all
	| [$all[].round] | unique
	| map(. as $r | [$all[] | select(.round == $r)]
		| (reduce jobs[] as $j ({}; .[$j] =
			([$all[] | select(.round == $r and .job == $j) | speed * 1000] | add))))
	| if length == 0 then null else
		. as $rounds
		| ([jobs[] as $j | weights[$j]] | add) as $sum
		| [jobs[] as $j | {job: $j, weight: weights[$j],
			wanted: (weights[$j] / $sum),
			mbps: ([$rounds[] | .[$j]] | stat),
			share: ([$rounds[] | .[$j] / ([add, 1e-9] | max)] | stat)}
			| . + {error_percent: ((.share.median / .wanted - 1) * 100)}] end;
def limited(case):
	[.[] | select(.bench == "flow" and .case == case and .job == "slow")
		| speed * 1e9]
	| stat | if . then {wanted: $limit, got: .,
		error_percent: ((.median / $limit - 1) * 100)} else null end;
def tails:
	[.[] | select(.bench == "tail")] | group_by(.bytes)
	| map(. as $s | {bytes: .[0].bytes}
		+ (reduce ("alone", "hogs", "greedy") as $c ({}; .[$c] =
			([$s[] | select(.case == $c)]
			| {median_ns: (map(.ns) | stat), p99_ns: (map(.p99_ns) | stat),
			   p999_ns: (map(.p999_ns) | stat), max_ns: (map(.max_ns) | stat)}))));

# ---- all ----

def worst(f): [.[] | {pattern, bytes, ranks, value: f} | select(.value)]
	| if length == 0 then null else min_by(.value) end;
def human: if . >= 1048576 then "\(. / 1048576) MiB"
	elif . >= 1024 then "\(. / 1024) KiB" else "\(.) B" end;
# target(what; value; least or most): no value: not measured
def least(what; w; at): {what: what, wanted: at, more_is_better: true,
	value: (w | if type == "object" then .value else . end),
	where: (w | if type != "object" then null
		elif .pattern then "\(.pattern), \(.ranks) ranks"
			+ (if .bytes > 0 then ", \(.bytes | human)" else "" end)
		else .bytes | human end)}
	| . + {met: (if .value == null then null else .value >= at end)};
def most(what; v; at): {what: what, wanted: at, more_is_better: false,
	value: v, where: null} | . + {met: (if .value == null then null else .value <= at end)};

# What two ranks have to reach, at one distance.
def pair_targets(at):
	(.latency_ns | map(select(.bytes == 8)) | .[0]) as $eight
	| [ most("latency of 8 B against the bare line"; $eight.x_limit; 1.5),
	    most("latency of 8 B against the better MPI";
		(if $eight.ratio then 1 / $eight.ratio else null end); 0.6),
	    least("latency, every size: times faster than the best peer";
		.latency_ns | worst(.ratio_best); 1),
	    least("bandwidth from 64 KiB: times the better MPI";
		.bandwidth_mbps | map(select(.bytes >= 65536)) | worst(.ratio); 2),
	    least("bandwidth, every size: times the best peer";
		.bandwidth_mbps | worst(.ratio_best); 1),
	    least("rate of 8 B: times the best peer";
		.rate_per_s | map(select(.bytes == 8)) | worst(.ratio_best); 3),
	    most("loan of 1 MiB: times one of 64 B"; .loan_ratio; 1.2)
	  ]
	| map(if at then .what += if at == "usual" then "" else ", cores \(at)" end else . end);

def targets:
	((.distances | length > 1) as $many
	 | [.distances[] | .distance as $d | pair_targets(if $many then $d else null end)] | add)
	+ [ least("barrier, more ranks than cores: times the best peer";
		.crowd | map(select(.pattern == "barrier")) | worst(.ratio_best); 2),
	    least("everything else there: times the best peer";
		.crowd | map(select(.pattern != "barrier")) | worst(.ratio_best); 1),
	    most("shares of 1:2:4, largest error in percent";
		[.shares.streams // [] | .[].error_percent | fabs] | max; 10),
	    most("the same, one of them computes";
		[.shares.computes // [] | .[].error_percent | fabs] | max; 10),
	    most("a rate limit, largest error in percent";
		[.shares.limit, .shares.limit_beside | .error_percent? // empty | fabs] | max; 5),
	    most("clock ticks of an idle daemon and blocked ranks"; .idle.ticks; 0),
	    least("VM to VM, latency: times TCP over virtio-net (make run-vm)";
		.vm.guests.latency_ratio?; 20),
	    least("VM to VM, bandwidth: the same";
		[.vm.guests.bandwidth[]?.ratio] | min; 5)
	  ];

# ---- two ranks, by the distance of their cores ----

# The bare line while a sample was taken; null: nobody looked.
def line: if .bench == "line" then .two_lines_ns
	else [.line_before_ns, .line_after_ns] | max end;
def moved: .line_before_ns != null and
	(.line_before_ns > 1.5 * .line_after_ns or .line_after_ns > 1.5 * .line_before_ns);
# usual: about what most looks at the bare line have found.
def distance($usual): if $mixed then "usual" elif moved then "moved"
	else line as $l | if $l == null or $usual == null then "usual"
		elif $l < 0.6 * $usual then "closer"
		elif $l < 1.8 * $usual then "usual" else "farther" end end;

# Samples of two ranks at one distance in.
def pair($copy):
	. as $s
	| def copy_mbps($n): [$copy[] | select(.bytes == $n) | .median] | .[0];
	([.[] | select(.bench == "line") | .stream_ns] | stat) as $stream
	# Every look at it counts, not only those of the program that does
	# nothing else.
	| ([.[] | line // empty] | stat) as $line
	# One way takes one transfer of a line, and what is beyond it one copy.
	| def latency_limit: if $line == null then null
		elif .bytes <= $reg then $line.median
		else .bytes as $n | copy_mbps($n)
			| if . then $line.median + $n * 1000 / . else null end end;
	{
		bare_line_ns: {
			two_lines: $line,
			one_line: ([.[] | select(.bench == "line") | .one_line_ns] | stat),
			stream: $stream
		},
		taken: (reduce libs[] as $l ({}; .[$l] = ([$s[] | select(.api == $l)] | length))),
		latency_ns: points("pingpong"; true; .ns / 2; true; latency_limit),
		bandwidth_mbps: points("stream"; true; .bytes * .messages / .ns * 1000; false;
			.bytes as $n | copy_mbps($n)),
		rate_per_s: points("stream"; true; .per_second; false;
			if .bytes <= $reg and $stream then 1e9 / $stream.median else null end),
		barrier_ns: points("barrier"; true; .ns; true; $line.median?),
		loan_ns: loans,
		loan_ratio: (loans | map(select(.bytes == 1048576) | .ratio_first) | .[0])
	};

# A distance at which hardly anything was taken is left out.
def distances($copy):
	[.[] | select(.ranks == 2 or .bench == "line")
		| select(.bench | IN("pingpong", "stream", "barrier", "loan", "line"))] as $s
	| ([$s[] | line // empty] | if length > 0 then median else null end) as $usual
	| [$s[] | . + {distance: distance($usual)}] as $s
	| [("usual", "closer", "farther") as $d | [$s[] | select(.distance == $d)]
		| select(length * 10 >= ($s | length) and length > 0)
		| length as $n | {distance: $d, samples: $n} + pair($copy)];

. as $all
| ([.[] | select(.api == "memcpy")] | group_by(.buffer)
	| map({bytes: .[0].buffer} + (map(.bytes / .ns * 1000) | stat))) as $copy
| distances($copy) as $distances
| (if $mixed then 0 else [.[] | select(moved)] | length end) as $moved
| {
	machine: $machine,
	settings: $settings,
	seconds: $spent,
	ms_per_point: $ms,
	rounds: ([.[].round] | max),
	switch_points: {register_max: $reg, lines_max: $lines, block_max: $block},
	memcpy_mbps: $copy,
	moved: $moved,
	distances: $distances,
	bare_line_ns: {}, latency_ns: [], bandwidth_mbps: [], rate_per_s: [],
	barrier_ns: [], loan_ns: [], loan_ratio: null,
	late_ns: points("wake"; true; .ns; true)
}
+ ($distances | max_by(.samples) // {} | del(.samples, .distance))
+ {
	crowd: (crowd("pingpong"; .ns / 2) + crowd("ring"; .ns / .ranks)
		+ crowd("barrier"; .ns) + crowd("allreduce"; .ns)
		+ crowd("beside"; .ns / 2)),
	sums_by: ([.[] | select(.bench == "allreduce") | {key: .api, value: .by}] | from_entries),
	compute_share: (reduce libs[] as $l ({}; .[$l] =
		([$all[] | select(.bench == "beside" and .api == $l) | .share] | stat))),
	growth: growth,
	shares: {
		streams: streams("streams"; ["one", "two", "four"]),
		computes: streams("computes"; ["one", "two"]),
		short: ([.[] | select(.bench == "short")] | group_by(.case)
			| map({key: .[0].case, value: ([.[] | select(.short)] | length)}) | from_entries),
		limit: limited("limit"), limit_beside: limited("limit_beside"),
		tail: tails
	},
	idle: ([.[] | select(.bench == "idle") | {ranks, seconds, ticks, ns}] | max_by(.ticks)),
	vm: ($vm | if . then {date: .machine.date, guests, seconds} else null end),
	failures: ([.[] | select(.bench == "failed")] | group_by([.api, .command, .status])
		| map({api: .[0].api, command: .[0].command, status: .[0].status, times: length}))
}
| .targets = targets
| .samples = $all
