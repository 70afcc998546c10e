# SPDX-License-Identifier: MIT
# layers.awk - which layer may include which, and which library has which door
#
# Usage: awk -f tools/layers.awk FILE...
# Prints each violation and exits 1 if there is one.
#
# An include points down or sideways within a layer, never up.  Contracts are
# <snoo/...>; everything else of ours is "layer/name.h".  Back ends of hal/
# never include each other.  A third-party library has one door.

BEGIN {
	may["include"]  = ""
	may["shm"]      = "shm"
	may["hal"]      = "shm hal"
	may["client"]   = "shm hal client"
	may["daemon"]   = "shm hal daemon"
	may["tools"]    = "tools"
	may["bench"]    = "bench"
	may["micro"]    = "shm hal bench"	# bench/micro/
	may["examples"] = ""
	may["tests"]    = "shm hal client daemon tests bench tools"

	# The contracts: who may see them.
	contract["abi"]      = "shm hal client daemon micro tests"
	contract["wire"]     = "shm client daemon tools tests"
	contract["control"]  = "shm daemon tests"
	contract["error"]    = "include shm hal client daemon tools bench micro examples tests"
	contract["snoo"]     = "include client tools bench micro examples tests"
	contract["snoo_mpi"] = "include client tools bench micro examples tests"

	# The doors, as a pattern over the file's path.
	door["uv"]      = "^(daemon|tools|tests)/"
	door["jansson"] = "^(daemon/([a-z_]*_)?(json|conf|admin|stats)|tools/(snooctl|([a-z_]*_)?(json|conf|admin|stats))|tests/)"
	door["hwloc"]   = "^(daemon/topo|tests/)"
	door["bpf"]     = "^(daemon/telem|daemon/bpf/|tests/)"
}

function complain(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what
	bad = 1
}

function has(list, word) {
	return index(" " list " ", " " word " ") > 0
}

FNR == 1 {
	split(FILENAME, path, "/")
	from = path[1]
	if (FILENAME ~ /^bench\/micro\//)
		from = "micro"
	backend = (from == "hal" && path[3] != "") ? path[2] : ""
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	match($0, /"[^"]*"/)
	name = substr($0, RSTART + 1, RLENGTH - 2)
	n = split(name, inc, "/")
	# Generated from daemon/bpf/, included as "daemon/bpf/x.skel.h".
	if (n < 2)
		complain("\"" name "\" must name its layer")
	else if (inc[1] == "snoo")
		complain("contracts are <snoo/...>, not \"" name "\"")
	else if (!(from in may))
		complain(from " is no layer that tools/layers.awk knows")
	else if (!has(may[from], inc[1]))
		complain(from " must not include \"" name "\"")
	else if (backend != "" && inc[1] == "hal" && n > 2 && inc[2] != backend)
		complain("back end " backend " must not include \"" name "\"")
	else if (name ~ /\.skel\.h$/ && FILENAME !~ door["bpf"])
		complain("BPF programs have one door, daemon/telem; not here")
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	match($0, /<[^>]*>/)
	name = substr($0, RSTART + 1, RLENGTH - 2)
	split(name, inc, "/")
	lib = ""
	if (inc[1] == "snoo") {
		base = inc[2]
		sub(/\.h$/, "", base)
		if (!(base in contract))
			complain("<" name "> is not a contract")
		else if (!has(contract[base], from))
			complain(from " must not include <" name ">")
	}
	else if (name ~ /^uv(\.h|\/)/)		lib = "uv"
	else if (name ~ /^jansson/)		lib = "jansson"
	else if (name ~ /^hwloc/)		lib = "hwloc"
	else if (inc[1] == "bpf")		lib = "bpf"
	if (lib != "" && FILENAME !~ door[lib])
		complain("lib" lib " has its door elsewhere: <" name ">")
	if (from == "include" && lib == "" && inc[1] != "snoo" &&
	    name !~ /^(std[a-z]+|string|limits|errno|inttypes)\.h$/ &&
	    name !~ /^linux\/types\.h$/)
		complain("a contract includes C standard headers only: <" name ">")
}

END { exit bad }
