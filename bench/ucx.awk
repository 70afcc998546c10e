# SPDX-License-Identifier: MIT
# ucx.awk - what `ucx_perftest -b BATCH -f -v` prints in, JSON lines out
#
# The tests of the batch are called lat.BYTES or bw.BYTES.  One that occurs
# several times gives its median.  Columns are found by the names in the header:
# releases differ in what stands before them.  Status 1: no header, a row that
# does not fit it, or no row at all.
#
# tag_lat prints the time of one way, our own ping-pong tells the whole round.

BEGIN { FS = "," }

function fail(why)
{
	print "ucx_perftest: " why > "/dev/stderr"
	failed = 1
	exit 1
}

function number(v)
{
	return v ~ /^ *[0-9]+(\.[0-9]+)? *$/
}

# A word of a library's log has no commas that matter; a header has these two.
/overall_lat/ && /overall_mr/ {
	for (i = 1; i <= NF; i++)
		column[$i] = i
	columns = NF
	next
}

$1 ~ /^(lat|bw)\.[0-9]+$/ {
	if (!columns)
		fail("no header before: " $0)
	lat = $(column["overall_lat"])
	rate = $(column["overall_mr"])
	if (NF != columns || !number(lat) || !number(rate) || rate == 0 || lat == 0)
		fail("not as the header says: " $0)
	if (!($1 in reps))
		order[++tests] = $1
	reps[$1]++
	iterations[$1] = $(column["iterations"]) + 0
	ns[$1, reps[$1]] = $1 ~ /^lat/ ? lat * 2000 : 1e9 / rate
}

function median(name,	n, i, j, t)
{
	n = reps[name]
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && ns[name, j] < ns[name, j - 1]; j--) {
			t = ns[name, j]
			ns[name, j] = ns[name, j - 1]
			ns[name, j - 1] = t
		}
	return n % 2 ? ns[name, (n + 1) / 2] : (ns[name, n / 2] + ns[name, n / 2 + 1]) / 2
}

END {
	if (failed)
		exit 1
	if (!tests)
		fail("no result")
	for (i = 1; i <= tests; i++) {
		split(order[i], part, ".")
		m = median(order[i])
		if (part[1] == "lat")
			printf "{\"bench\":\"pingpong\",\"ranks\":2,\"bytes\":%d,\"iterations\":%d,\"ns\":%.6g}\n",
				part[2], iterations[order[i]], m
		else
			printf "{\"bench\":\"stream\",\"ranks\":2,\"bytes\":%d,\"iterations\":%d,\"ns\":%.6g,\"messages\":1,\"per_second\":%.6g}\n",
				part[2], iterations[order[i]], m, 1e9 / m
	}
}
