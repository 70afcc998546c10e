#!/bin/bash
# SPDX-License-Identifier: MIT
# doc-names.sh - names in the documents are those of the code
# timeout: 120
#
# Counters, verbs, options, functions, files, offsets and the members of each
# admin answer: what a document lists is compared with where it comes from.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin}
LIB=${LIB:-build/lib}
CC=${CC:-cc}
for p in snooctl snoorun snoo-daemon; do
	[[ -x $BIN/$p ]] || skip_all "$p is not built"
done
command -v jq >/dev/null || skip_all "jq is not installed"
unset SNOO_ADMIN SNOO_SOCKET SNOO_RANK SNOO_SIZE SNOO_JOB SNOO_CORE SNOO_LAUNCH
dir=$(mktemp -d)
daemon=
ranks=
trap 'exec 8>&-; [[ -z $ranks ]] || wait "$ranks"
	[[ -z $daemon ]] || { kill "$daemon"; wait "$daemon"; } 2>/dev/null
	rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir

# ---- counters
from_def=$(sed -n 's/^COUNTER(\([a-z_]*\), \([a-z]*\), "\(.*\)")/\1|\2|\3/p' shm/counters.def)
is "memory-layout.md lists the counters" \
	"$(awk '/^<!-- counters/ { on = 1 } /^<!-- end/ { on = 0 } on' doc/memory-layout.md |
		sed -n 's/^| \([a-z_]*\) | \([a-z]*\) | \(.*\) |$/\1|\2|\3/p' | tail -n +2)" \
	"$from_def"
is "libsnoo-client(7) lists the counters" \
	"$(awk '/^\.\\" counters/ { on = 1 } /^\.\\" end/ { on = 0 } on' doc/man/libsnoo-client.7 |
		sed -n '/^\.It/{N;s/^\.It Cm \([a-z_]*\) Pq \([a-z]*\)\n\(.*\)/\1|\2|\3/p}')" \
	"$from_def"

# ---- verbs
verbs=$(sed -n 's/^VERB(\([a-z]*\), "\([a-z ]*\)", \([A-Z]*\),.*/\1/p' daemon/admin.def)
is "admin.md has a section for each verb" \
	"$(sed -n 's/^### \([a-z]*\)$/\1/p' doc/admin.md)" "$verbs"
for v in $verbs; do
	like "snooctl(8) has $v" "$(grep '^\.It Ic ' doc/man/snooctl.8 | tr '\n' ' ')" "(Ic|,) $v "
done

# ---- options
is "snoo-daemon(8) lists the options" \
	"$(sed -n 's/^\.It \(Fl c , \)\?Fl Fl \([a-z-]*\).*/\2/p' doc/man/snoo-daemon.8 | sort)" \
	"$("$BIN/snoo-daemon" --help | grep -oE '^  .*--[a-z-]+' | grep -oE -- '--[a-z-]+' | sed 's/^--//' |
		cat - <(echo help) | sort -u)"
is "snoo-daemon(8) lists the exit codes" \
	"$(awk '/^\.Sh / { on = /EXIT STATUS/ } on && /^\.It / { print $2 }' doc/man/snoo-daemon.8)" \
	"$(sed -n 's/^\tEXIT_[A-Z_]*[\t ]*= \([0-9]*\),.*/\1/p' daemon/main.c)"

# ---- functions
exported=$(sed -n 's/^\t\([A-Za-z_]*\);$/\1/p' client/libsnoo-client.map | sort)
is "each exported function has its page" \
	"$(cat doc/man/*.3 | awk '/^\.Sh / { on = /NAME/ } on && /^\.Nm / { print $2 }' |
		grep -v '^SNOO_MPI$' | sort)" "$exported"

# ---- environment
is "libsnoo-client(7) has each variable that the library reads" \
	"$(grep -ohE '"(SNOO|PMI|PMIX|OMPI|SLURM|XDG)_[A-Z_]+"' client/*.c | tr -d '"' | sort -u |
		while read -r v; do grep -q "\b$v\b" doc/man/libsnoo-client.7 || echo "$v"; done)" ""

# ---- files and functions of the README
grep -E '^ +[a-z_]+\(\) +[a-z]+/' README.md >"$dir/paths"
ok "the README follows a message and an attach" test "$(wc -l <"$dir/paths")" -gt 20
while read -r fn file _; do
	fn=${fn%()}
	ok "README: $fn() is in $file" grep -qE "^[a-z].*\b$fn\(|^$fn\(" "$file"
done <"$dir/paths"
for f in $(grep -ohE '`(doc|client|daemon|shm|hal|include|config|tests|tools)/[A-Za-z0-9_./-]+`' \
	README.md doc/*.md tests/README.md | tr -d '`' | sort -u); do
	[[ $f == */test_NAME.c || $f == hal/NAME/ || $f == tests/timeouts ]] && continue
	ok "$f is there" test -e "$f"
done

# ---- offsets
# Rows like "| 0x014 | sharers: ..." of a section, against the ABI's list.
offsets() {
	awk -v section="### $2" -v type="$1" '
	FILENAME ~ /0\.txt$/ { if ($1 == "field" && $2 == type) at[$3] = $5; next }
	/^### / { on = $0 == section }
	on && /^\| 0x/ {
		split($0, c, /[ ]*\|[ ]*/); split(c[3], w, /[^a-z_]+/)
		n++
		if (!(w[1] in at)) print w[1] " is not a field"
		else if (at[w[1]] != strtonum16(c[2])) print w[1] ": " c[2] ", but is at " at[w[1]]
	}
	function strtonum16(s,   i, v) {
		for (i = 3; i <= length(s); i++)
			v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
		return v
	}
	END { if (n < 3) print "no rows" }' tests/abi/0.txt doc/memory-layout.md
}
is "memory-layout.md: the head" "$(offsets snoo_abi_pool Head)" ""
is "memory-layout.md: rank slots" "$(offsets snoo_abi_rank 'Rank slots')" ""

# ---- members of the admin answers
mkfifo "$dir/ready" "$dir/hold"
"$BIN/snoo-daemon" --no-keeper --runtime-dir "$dir/snoo" --pool-size 8M --ready-fd 9 \
	9>"$dir/ready" 2>"$dir/log" &
daemon=$!
read -r _ <"$dir/ready" || skip_all "the daemon did not start: $(<"$dir/log")"

# Rank 1 waits for rank 0, which waits for its input.
cat >"$dir/pair.c" <<-'EOF'
	#include <snoo/snoo.h>
	#include <unistd.h>

	int main(void)
	{
		struct snoo *ctx;
		char c = 0;

		if (snoo_init(&ctx, "pair", NULL))
			return 1;
		if (snoo_rank(ctx) == 0) {
			snoo_send(ctx, &c, 1, 1, 0);
			while (read(0, &c, 1) > 0)
				;
			snoo_send(ctx, &c, 1, 1, 0);
		} else {
			snoo_recv(ctx, &c, 1, 0, 0, NULL);
			snoo_recv(ctx, &c, 1, 0, 0, NULL);
		}
		return snoo_finalize(ctx) != 0;
	}
EOF
lib=$(cd "$LIB" && pwd)
san=()
[[ -n ${SAN:-} ]] && san=("-fsanitize=$SAN")
"$CC" "${san[@]}" -Iinclude -o "$dir/pair" "$dir/pair.c" -L"$lib" -lsnoo-client \
	"-Wl,-rpath,$lib" || skip_all "the pair of ranks does not compile"
"$BIN/snoorun" -n 2 "$dir/pair" <"$dir/hold" &
ranks=$!
exec 8>"$dir/hold"
ctl() {
	"$BIN/snooctl" --json "$@" 2>&1
}
for ((i = 0; i < 600; i++)); do
	# In its second receive: in the first it may not know rank 0 yet.
	[[ $(ctl why 1 | jq -r '"\(.mode?) \(.source?)"' 2>/dev/null) == "asleep 0" ]] && break
	sleep 0.05
done
is "a rank that waits is shown" "$(ctl why 1 | jq -r '"\(.call) \(.mode) \(.source)"')" \
	"recv asleep 0"

# documented VERB: "needed PATH" or "maybe PATH" a line
documented() {
	awk -v verb="### $1" '
	/^###? / { on = $0 == verb }
	on && /^\| `/ {
		split($0, c, /[ ]*\|[ ]*/); gsub(/`/, "", c[2])
		print (c[3] ~ /^only/ ? "maybe" : "needed"), c[2]
	}' doc/admin.md
}
# members: the paths of a JSON text, as admin.md writes them
members() {
	jq -r '[paths(type != "object" and type != "array")
		| map(if type == "number" then "[]" else "." + . end) | join("")
		| ltrimstr(".") | sub("counters\\..*"; "counters.NAME")] | unique[]'
}
for v in $verbs; do
	# There is no VM here: tests/unit/daemon/test_control.c has one to evict.
	[[ $v == evict ]] && continue
	request=$(awk -v verb="### $v" '/^###? / { on = $0 == verb }
		on && /^    \{"cmd"/ { print; exit }' doc/admin.md)
	mapfile -t words < <(jq -r '.cmd, (.args // {} | to_entries[] | "\(.key)=\(.value)")' <<<"$request")
	answer=$(ctl "${words[@]}")
	ok "the request of $v is answered" jq -e 'type == "object" or type == "array"' <<<"$answer"
	documented "$v" | sort >"$dir/doc"
	[[ -s $dir/doc ]] || continue
	members <<<"$answer" | sort >"$dir/live"
	is "$v: each member is in admin.md" \
		"$(comm -13 <(cut -d' ' -f2 "$dir/doc" | sort) "$dir/live")" ""
	is "$v: each member of admin.md is there" \
		"$(comm -23 <(sed -n 's/^needed //p' "$dir/doc" | sort) "$dir/live")" ""
done
exec 8>&-
wait "$ranks"
is "the ranks end well" "$?" 0
ranks=
done_testing
