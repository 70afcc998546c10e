# SPDX-License-Identifier: MIT
# summary.jq - samples of run.sh in, medians and spread for each point out
#
# Every point: {median, min, max} for each library that was there, and
# "ratio": SNOO against the better MPI, above 1 where SNOO is better.

def median: sort | if length % 2 == 1 then .[(length - 1) / 2]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def stat: if length == 0 then null
	else {median: median, min: min, max: max} end;
def libs: ["snoo", "mpich", "openmpi"];

# Points of one benchmark: value gives the figure of a sample; less: smaller is
# better.
def points(name; ranks; value; less):
	[.[] | select(.bench == name and .ranks == ranks)]
	| group_by(.bytes)
	| map(. as $s | {bytes: .[0].bytes}
		+ (reduce libs[] as $l ({}; .[$l] =
			([$s[] | select(.api == $l) | value] | stat)))
		| ([.mpich, .openmpi | select(.) | .median]) as $peers
		| . + {ratio: (if .snoo == null or ($peers | length) == 0 then null
			elif less then ($peers | min) / .snoo.median
			else .snoo.median / ($peers | max) end)});

. as $all
| {
	machine: $machine,
	settings: $settings,
	seconds: $spent,
	ms_per_point: $ms,
	rounds: ([.[].round] | max),
	switch_points: {register_max: $reg, lines_max: $lines, block_max: $block},
	bare_line_ns: {
		two_lines: ([.[] | select(.bench == "line") | .two_lines_ns] | stat),
		one_line: ([.[] | select(.bench == "line") | .one_line_ns] | stat)
	},
	memcpy_mbps: ([.[] | select(.api == "memcpy")] | group_by(.buffer)
		| map({bytes: .[0].buffer} + (map(.bytes / .ns * 1000) | stat))),
	latency_ns: points("pingpong"; 2; .ns / 2; true),
	bandwidth_mbps: points("stream"; 2; .bytes * .messages / .ns * 1000; false),
	rate_per_s: points("stream"; 2; .per_second; false),
	barrier_ns: points("barrier"; 2; .ns; true),
	four_ranks: {
		latency_ns: points("pingpong"; 4; .ns / 2; true),
		barrier_ns: points("barrier"; 4; .ns; true)
	},
	samples: $all
}
