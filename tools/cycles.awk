# SPDX-License-Identifier: MIT
# cycles.awk - one "user used" pair per include; pipe to tsort to find a loop
#
# Usage: awk -f tools/cycles.awk FILE... | tsort >/dev/null
#
# A module is a file name without its ending: ring.c and ring.h are one node.
# tsort fails, and names the members, if modules include each other in a circle.

/^[ \t]*#[ \t]*include[ \t]*"/ {
	match($0, /"[^"]*"/)
	from = FILENAME
	to = substr($0, RSTART + 1, RLENGTH - 2)
	sub(/\.[ch]$/, "", from)
	sub(/\.[ch]$/, "", to)
	if (from != to)
		print from, to
}
