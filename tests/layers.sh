#!/bin/bash
# SPDX-License-Identifier: MIT
# layers.sh - prove the include rules, no cycles, and that each layer links alone
#
# Each rule is shown to fail on a planted violation first: a checker that
# cannot fail proves nothing.
cd "$(dirname "$0")/.." || exit 1
. tests/lib/tap.sh

B=${B:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
top=$PWD

# planted PATH LINE: a file of that path and content, looked at by layers.awk.
planted() {
	(
		cd "$tmp" || exit 2
		mkdir -p "$(dirname "$1")" && printf '%s\n' "$2" >"$1" || exit 2
		awk -f "$top/tools/layers.awk" "$1"
	)
}
bad() { fails "refused: $1: $2" planted "$1" "$2"; }
good() { ok "allowed: $1: $2" planted "$1" "$2"; }

bad shm/x.c '#include "hal/hal.h"'
bad hal/x.c '#include "client/wait.h"'
bad client/x.c '#include "daemon/pool.h"'
bad daemon/x.c '#include "client/session.h"'
bad client/x.c '#  include "ring.h"'
bad client/x.c '#include "snoo/abi.h"'
bad hal/emul/x.c '#include "hal/loongson/mmio.h"'
bad daemon/x.c '#include <snoo/snoo.h>'
bad tools/snooctl.c '#include "shm/ring.h"'
bad bench/rate.c '#include "shm/ring.h"'
bad examples/x.c '#include <snoo/abi.h>'
bad include/snoo/abi.h '#include <snoo/wire.h>'
bad include/snoo/abi.h '#include <pthread.h>'
bad client/x.c '#include <uv.h>'
bad shm/x.c '#include <jansson.h>'
bad daemon/pool.c '#include <jansson.h>'
bad daemon/pool.c '#include <hwloc.h>'
bad daemon/pool.c '#include <bpf/libbpf.h>'
bad daemon/pool.c '#include "daemon/bpf/snoo.skel.h"'
good shm/x.c '#include <snoo/abi.h>'
good hal/emul/x.c '#include "hal/regs.h"'
good client/x.c '#include "shm/ring.h"'
good daemon/conf.c '#include <jansson.h>'
good daemon/admin_verbs.c '#include <jansson.h>'
good daemon/pool_json.c '#include <jansson.h>'
good daemon/topo.c '#include <hwloc.h>'
good daemon/telem.c '#include <bpf/libbpf.h>'
good daemon/telem.c '#include "daemon/bpf/snoo.skel.h"'
good daemon/loop.c '#include <uv.h>'
good bench/micro/ring.c '#include "shm/ring.h"'

mapfile -t files < <(find include shm hal client daemon tools bench examples \
	tests -name '*.[ch]' 2>/dev/null | sort)
ok "the tree keeps the layers (${#files[@]} files)" \
	awk -f tools/layers.awk "${files[@]}"

# acyclic FILE...: no module includes itself by way of others.
acyclic() { awk -f "$top/tools/cycles.awk" "$@" | tsort >/dev/null; }
cycle() {
	(
		set -o pipefail
		cd "$tmp" || exit 2
		mkdir -p shm
		echo '#include "shm/b.h"' >shm/a.c
		echo '#include "shm/a.h"' >shm/b.h
		acyclic shm/a.c shm/b.h
	)
}
tree() {
	(
		set -o pipefail
		acyclic "${files[@]}"
	)
}
fails "refused: two modules that include each other" cycle
ok "no modules of the tree include each other in a circle" tree

# Linked alone with -z defs by the Makefile, or not there at all.
for l in shm hal client daemon; do
	if ! compgen -G "$l/*.c" >/dev/null; then
		skip "$l/ links without the layers above it" "no sources"
	elif [[ -n ${SAN:-} && ${CC:-} == *clang* ]]; then
		skip "$l/ links without the layers above it" \
			"no -z defs with clang's sanitizers"
	else
		ok "$l/ links without the layers above it" test -s "$B/alone/$l.so"
	fi
done

# The library needs libc and nothing else.
if [[ -f $B/lib/libsnoo-client.so && -z ${SAN:-} ]]; then
	is "libsnoo-client needs libc alone" \
		"$(readelf -d "$B/lib/libsnoo-client.so" |
			sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^ld-' |
			sort | xargs)" libc.so.6
fi

# planted upward call: -z defs must refuse it.
upward() {
	printf 'int client_call(void);\nint f(void);\nint f(void) { return client_call(); }\n' >"$tmp/up.c"
	"${CC:-cc}" -shared -fPIC -Wl,-z,defs -o "$tmp/up.so" "$tmp/up.c"
}
fails "refused: a call upwards by a hand-written prototype" upward

done_testing
