#!/bin/bash
# SPDX-License-Identifier: MIT
# run-bench-figures.sh - what the benchmarks make of samples, with samples made up
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

command -v jq >/dev/null || skip_all "jq is not installed"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# ---- ucx.awk: what ucx_perftest prints ----

# parse: canned output on standard input; JSON in $out/json, $status
parse() {
	awk -f bench/ucx.awk >"$out/json" 2>"$out/err"
	status=$?
}
q() { jq -rs "$1" "$out/json"; }

parse <<'END'
batch,iterations,50.0_percentile_lat,avg_lat,overall_lat,avg_bw,overall_bw,avg_mr,overall_mr
lat.8,100000,0.131,0.133,0.134,57.21,56.93,7498125,7462686
lat.8,100000,0.131,0.133,0.120,57.21,56.93,7498125,8333333
lat.8,100000,0.131,0.133,0.190,57.21,56.93,7498125,5263157
lat.1048576,500,80.1,81.2,82.5,12000.00,12121.21,12000,12121
bw.64,100000,0.050,0.051,0.050,1220.70,1220.70,20000000,20000000
bw.64,100000,0.050,0.051,0.100,610.35,610.35,10000000,10000000
END
is "a good output is taken" "$status" 0
is "a size that was measured three times is one result, the rest follow" \
	"$(q 'map("\(.bench) \(.bytes)") | join(", ")')" "pingpong 8, pingpong 1048576, stream 64"
is "the median of three; there and back is twice one way" "$(q '.[0].ns')" 268
is "large messages keep their time" "$(q '.[1].ns')" 165000
is "the median of two: 50 and 100 ns a message" "$(q '.[2].ns')" 75
is "and the rate that belongs to it" "$(q '.[2].per_second | round')" 13333300
is "as our own programs say it" "$(q 'all(.[]; .ranks == 2 and .iterations > 0)')" true

# A release with one column more in front, and a library that warns in between.
parse <<'END'
[1700000000.123] [host:1:0] parser.c:1998 UCX WARN unused environment variable: UCX_X (maybe: UCX_Y?)
batch,threads,iterations,overall_lat,overall_mr
lat.0,1,1000,0.100,10000000
END
is "columns are found by name" "$status $(q '"\(.[0].bytes) \(.[0].ns) \(.[0].iterations)"')" "0 0 200 1000"

refused() {
	parse
	is "$1" "$status $(wc -l <"$out/json")" "1 0"
	like "and it is said why" "$(<"$out/err")" "$2"
}
refused "nothing is no result" 'no result' </dev/null
refused "a header alone is none" 'no result' <<'END'
batch,iterations,overall_lat,overall_mr
END
refused "rows without a header are refused" 'no header' <<'END'
lat.8,100000,0.134,7462686
END
refused "a row that is cut off is refused" 'not as the header says: lat.8,1000,0.1' <<'END'
batch,iterations,overall_lat,overall_mr
lat.8,1000,0.1
END
refused "so is one that is no number" 'not as the header says' <<'END'
batch,iterations,overall_lat,overall_mr
lat.8,1000,-nan,7462686
END
refused "and a time of nothing" 'not as the header says' <<'END'
batch,iterations,overall_lat,overall_mr
bw.8,1000,0.000,0
END

# ---- summary.jq, table.jq: ratios and verdicts ----

summary() {
	jq -s --argjson machine '{"cpu":"made up","cores":2,"kind":"none"}' \
		--argjson settings '{}' --argjson reg 56 --argjson lines 512 \
		--argjson block 16384 --argjson spent 1 --argjson ms 1 \
		--argjson limit 1000000 --argjson vm null --argjson mixed false \
		-f bench/summary.jq >"$out/json"
}
summary <<'END'
{"bench":"line","two_lines_ns":50,"one_line_ns":60,"stream_ns":10,"api":"bare","round":1}
{"bench":"paper","api":"memcpy","buffer":1048576,"bytes":1048576,"ns":100000,"round":1}
{"bench":"pingpong","ranks":2,"bytes":8,"ns":140,"api":"snoo","round":1}
{"bench":"pingpong","ranks":2,"bytes":8,"ns":100,"api":"snoo","round":2}
{"bench":"pingpong","ranks":2,"bytes":8,"ns":120,"api":"snoo","round":3}
{"bench":"pingpong","ranks":2,"bytes":8,"ns":300,"api":"mpich","round":1}
{"bench":"pingpong","ranks":2,"bytes":8,"ns":240,"api":"openmpi","round":1}
{"bench":"pingpong","ranks":2,"bytes":8,"ns":210,"api":"ucx","round":1}
{"bench":"stream","ranks":2,"bytes":1048576,"messages":64,"ns":3355443.2,"per_second":19073,"api":"snoo","round":1}
{"bench":"stream","ranks":2,"bytes":1048576,"messages":64,"ns":13421772.8,"per_second":4768,"api":"mpich","round":1}
{"bench":"stream","ranks":2,"bytes":1048576,"messages":64,"ns":33554432,"per_second":1907,"api":"mpich_nocma","round":1}
{"bench":"barrier","ranks":4,"bytes":0,"ns":1000,"api":"snoo","round":1}
{"bench":"barrier","ranks":4,"bytes":0,"ns":1500,"api":"openmpi","round":1}
{"bench":"flow","case":"streams","job":"one","bytes":100,"ns":1,"api":"snoo","round":1}
{"bench":"flow","case":"streams","job":"two","bytes":200,"ns":1,"api":"snoo","round":1}
{"bench":"flow","case":"streams","job":"four","bytes":500,"ns":1,"api":"snoo","round":1}
{"bench":"flow","case":"limit","job":"slow","bytes":1030,"ns":1000000,"api":"snoo","round":1}
{"bench":"idle","ranks":4,"seconds":2,"ticks":1,"ns":5,"api":"snoo","round":1}
{"bench":"failed","command":"barrier","status":124,"api":"mpich","round":1}
END
q() { jq -r "$1" "$out/json"; }
# verdict START: value, where and verdict of the target that begins so
verdict() {
	q ".targets[] | select(.what | startswith(\"$1\"))
		| \"\(if .value then .value * 100 | round / 100 else null end) \(.where) \(.met)\""
}
is "median and spread over the rounds" \
	"$(q '.latency_ns[0].snoo | "\(.median) \(.min) \(.max)"')" "60 50 70"
is "against the better MPI, and against the best peer" \
	"$(q '.latency_ns[0] | "\(.ratio) \(.ratio_best) \(.best_peer)"')" "2 1.75 ucx"
is "against the bare line" "$(q '.latency_ns[0].x_limit')" 1.2
is "bandwidth: more is better" \
	"$(q '.bandwidth_mbps[0] | "\(.ratio | round) \(.ratio_nocma | round) \(.x_limit * 100 | round)"')" \
	"4 10 52"
is "a target that is met" "$(verdict 'latency of 8 B against the bare')" "1.2 null true"
is "one that is missed, and where" "$(verdict 'barrier, more ranks')" "1.5 barrier, 4 ranks false"
is "one without a figure is not met, and not missed" "$(verdict 'rate of 8 B')" "null null null"
is "shares: 500 of 800 is 9 % more than 4 of 7" "$(verdict 'shares of 1:2:4')" "12.5 null false"
is "a limit of 1 MB/s that lets 1.03 through" "$(verdict 'a rate limit')" "3 null true"
is "who is idle uses no tick" "$(verdict 'clock ticks')" "1 null false"
text=$(jq -r -f bench/table.jq "$out/json")
is "the tables can be printed" "$?" 0
like "a missed target is told" "$text" 'MISSED +barrier.*1\.5'
like "and a peer that failed" "$text" 'FAILED, status 124, 1 times: mpich: barrier'
summary </dev/null
is "no sample at all is a summary, too" "$(q '.latency_ns | length')" 0
done_testing
