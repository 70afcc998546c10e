#!/bin/bash
# SPDX-License-Identifier: MIT
# headers.sh - every header compiles alone, every file says what it is
# timeout: 300
cd "$(dirname "$0")/.." || exit 1
. tests/lib/tap.sh

CC=${CC:-cc}
B=${B:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
warn=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

# alone HEADER: a file that includes nothing else, twice.
alone() {
	printf '#include "%s"\n#include "%s"\ntypedef int unit;\n' "$1" "$1" >"$tmp/alone.c"
	"$CC" -std=c11 -D_GNU_SOURCE "${warn[@]}" -Wstrict-prototypes \
		-Wmissing-prototypes -Iinclude -I. -I"$B/gen" \
		-fsyntax-only "$tmp/alone.c"
}
alone_cxx() {
	printf '#include <%s>\n' "$1" >"$tmp/alone.cc"
	g++ -std=c++11 "${warn[@]}" -Iinclude -fsyntax-only "$tmp/alone.cc"
}

# says FILE: SPDX first, then "name - purpose", within 80 columns.
says() {
	local base
	base=$(basename "$1")
	awk -v base="$base" '
	FNR == 1 && /^#!/ { next }
	!spdx { spdx = index($0, "SPDX-License-Identifier: MIT") ? 1 : -1 }
	FNR <= 5 && index($0, base " - ") { purpose = 1 }
	FNR > 5 { exit }
	END {
		if (spdx != 1) print FILENAME ": line 1 is not the SPDX line"
		if (!purpose) print FILENAME ": no line \"" base " - purpose\""
		exit spdx != 1 || !purpose
	}' "$1"
}
each() {
	local bad=0 f check=$1
	shift
	for f; do
		"$check" "$f" || bad=1
	done
	return "$bad"
}
# portable FILE: names no processor, nor a header of one's.  BPF programs are
# told theirs by the build.
PROCESSOR='x86_64|x86|i386|amd64|aarch64|arm|mips|riscv|loongarch|powerpc|ppc'
PROCESSOR+='|s390|sparc|sse|avx'
portable() {
	! grep -niHE "^[[:space:]]*#.*\b_+($PROCESSOR)[0-9a-z_]*\b" "$1" &&
		! grep -nHE '# *include *<([a-z]mm|x86|cpuid|arm_|asm/).*>' "$1"
}
short() {
	local n
	n=$(wc -l <"$1")
	((n <= 600)) || { echo "$1: $n lines, 600 are the limit"; return 1; }
}

# planted violations
echo 'size_t x(void);' >"$tmp/needs.h"
fails "refused: a header that needs another one first" alone "$tmp/needs.h"
printf '/* x.c - no licence line */\n' >"$tmp/x.c"
fails "refused: a file without its licence line" says "$tmp/x.c"
printf '/* SPDX-License-Identifier: MIT */\n/* something */\n' >"$tmp/y.c"
fails "refused: a file without its purpose" says "$tmp/y.c"
yes '' | head -n 601 >"$tmp/long.c"
fails "refused: a source of more than 600 lines" short "$tmp/long.c"

printf '#if defined(__riscv)\n#endif\n' >"$tmp/cpu1.c"
fails "refused: a line that names a processor" portable "$tmp/cpu1.c"
printf '#  ifdef __mips__\n#endif\n' >"$tmp/cpu2.c"
fails "refused: one that is indented" portable "$tmp/cpu2.c"
printf '#elif 1 || __ARM_NEON\n' >"$tmp/cpu3.c"
fails "refused: one that speaks of its vectors" portable "$tmp/cpu3.c"
printf '#include <emmintrin.h>\n' >"$tmp/cpu4.c"
fails "refused: a header of a processor" portable "$tmp/cpu4.c"
printf '#include "hal/loongson/mmio.h"\n/* on mips */\n' >"$tmp/cpu5.c"
ok "allowed: to speak of one, or to include what is ours" portable "$tmp/cpu5.c"

# *.def files are lists for their includer; generated and BPF headers have
# their own compiler.
mapfile -t headers < <(find include shm hal client daemon tools bench tests \
	-name '*.h' ! -path 'daemon/bpf/*' 2>/dev/null | sort)
for h in "${headers[@]}"; do
	ok "$h compiles alone" alone "$h"
done
for h in snoo snoo_mpi error; do
	[[ -f include/snoo/$h.h ]] || continue
	if command -v g++ >/dev/null; then
		ok "<snoo/$h.h> compiles as C++" alone_cxx "snoo/$h.h"
	else
		skip "<snoo/$h.h> compiles as C++" "no g++"
	fi
done

mapfile -t files < <(find include shm hal client daemon tools bench examples \
	tests config .ci \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' \
	-o -name '*.awk' -o -name '*.pml' -o -name '*.in' \) 2>/dev/null | sort)
ok "every file has its licence line and says what it is (${#files[@]})" \
	each says "${files[@]}" Makefile
mapfile -t sources < <(find shm hal client daemon tools -name '*.c' 2>/dev/null)
mapfile -t everywhere < <(find include shm hal client daemon tools bench \
	examples tests \( -name '*.c' -o -name '*.h' \) ! -path 'hal/*' \
	! -path shm/cpu.h ! -path 'daemon/bpf/*' 2>/dev/null | sort)
ok "no file but hal/ and shm/cpu.h names a processor (${#everywhere[@]})" \
	each portable "${everywhere[@]}"
ok "no source has more than 600 lines" each short "${sources[@]}"

done_testing
