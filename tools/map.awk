# SPDX-License-Identifier: MIT
# map.awk - print every file with the one-line purpose that it states
#
# Usage: awk -f tools/map.awk FILE...
#
# The purpose is the first "name - purpose" within the first lines of a file;
# a manual page states it under NAME, a text in its first heading.

function show(text) {
	dir = FILENAME
	if (!sub(/\/[^\/]*$/, "/", dir))
		dir = "./"
	if (dir != last) {
		printf "%s%s\n", last == "" ? "" : "\n", dir
		last = dir
	}
	base = FILENAME
	sub(/.*\//, "", base)
	printf "  %-24s %s\n", base, text
	shown = 1
}

FNR == 1 { shown = 0 }
shown || FNR > 12 { next }
FILENAME ~ /\.md$/ && /^# / { show(substr($0, 3)); next }
/^\.Nd / { show(substr($0, 5)); next }
/\\- / { line = $0; sub(/.*\\- /, "", line); show(line); next }
/ - / {
	base = FILENAME
	sub(/.*\//, "", base)
	at = index($0, base " - ")
	if (at) {
		line = substr($0, at + length(base) + 3)
		sub(/[ \t]*\*\/[ \t]*$/, "", line)
		show(line)
	}
}
