#!/bin/bash
# SPDX-License-Identifier: MIT
# setup.sh - compiler, libraries and emulator for another processor
#
# Usage: tests/cross/setup.sh ARCH [FOLDER]
#
# ARCH is mips64el, aarch64, riscv64 or loongarch64.  All comes from Debian by
# fetch.sh and lies in FOLDER (build/cross):
#
#   tools/ARCH	  the compiler, with the libraries that it runs with
#   sysroot/ARCH  what is linked with
#   qemu	  QEMU's emulator of one process
#   bin/ARCH-*	  gcc, ar, objcopy, strip, nm, readelf, pkg-config that use
#		  those; ARCH-run runs a program
#
# Nothing is installed.  The compiler may come from a newer release than this
# machine's: each of its programs runs by the dynamic linker and C library that
# were unpacked with it.  The C library that cross compilers bring is left out,
# so that programs see the one of the sysroot alone.
#
# Status: 0; 1 something is wrong; 77 cannot be had, and the last line says why.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C

LIBRARIES="libc6-dev libuv1-dev libjansson-dev libhwloc-dev libcmocka-dev"
# Debian 12's own knows less of LoongArch than Debian's programs use.
QEMU_SUITE=bookworm-backports

# Debian's name, triplet, gcc and its release, release of the libraries, bytes
# of a page (the largest of those that its kernels are built with).
case ${1:-} in
mips64el) row="mips64el mips64el-linux-gnuabi64 12 bookworm bookworm 16384" ;;
aarch64) row="arm64 aarch64-linux-gnu 12 bookworm bookworm 65536" ;;
riscv64) row="riscv64 riscv64-linux-gnu 12 bookworm trixie 4096" ;;
loongarch64) row="loong64 loongarch64-linux-gnu 14 trixie sid 16384" ;;
*)
	echo "setup: '${1:-}': not mips64el, aarch64, riscv64 or loongarch64" >&2
	exit 1
	;;
esac
arch=$1
read -r debian triplet gcc tools_suite suite page <<<"$row"
top=${2:-build/cross}
mkdir -p "$top/bin" || exit 1
top=$(cd "$top" && pwd -P) || exit 1
tools=$top/tools/$arch
sysroot=$top/sysroot/$arch

fetch() {
	tests/cross/fetch.sh "$@" || exit
}

# elf FILE: it is a program, not a library nor a script.
elf() {
	[[ -x $1 && $1 != *.so* && $1 != *.elf ]] &&
		[[ $(head -c 4 "$1" | tail -c 3) == ELF ]]
}

# own_libc: each program of the tools becomes a script that runs it by the
# dynamic linker beside it.
own_libc() {
	local loader f
	loader=$(compgen -G "$tools/usr/lib*/ld-linux*.so.*" | head -n 1)
	[[ -n $loader ]] || { echo "setup: $tools has no dynamic linker"; exit 1; }
	loader=$(realpath "$loader")
	find "$tools/usr/bin" "$tools"/usr/lib*/gcc-cross -type f |
		while read -r f; do
			elf "$f" || continue
			ln -f "$f" "$f.elf" || exit 1
			# shellcheck disable=SC2016 # for the script
			printf '#!/bin/sh\nexec %s --library-path %s --argv0 "$0" %s "$@"\n' \
				"$loader" "${loader%/*}" "$f.elf" >"$f.new" &&
				chmod +x "$f.new" && mv "$f.new" "$f" || exit 1
		done || exit 1
	: >"$tools/.own-libc"
}

# script NAME LINE...: bin/ARCH-NAME.
script() {
	local name=$top/bin/$arch-$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$name.new" && chmod +x "$name.new" &&
		mv "$name.new" "$name" || exit 1
}

without() {
	local of=$1 p
	for p in libc6-"$of" libc6-dev-"$of" linux-libc-dev-"$of" libasan8-"$of" \
		libtsan2-"$of" libubsan1-"$of" liblsan0-"$of" libhwasan0-"$of" \
		libgomp1-"$of" libitm1-"$of"; do
		printf '%s ' "$p"
	done
}

host=$(dpkg --print-architecture 2>/dev/null) ||
	{ echo "dpkg is not installed: not Debian"; exit 77; }
ASSUMED=$(without "$debian-cross") \
	fetch sysroot "$host" "$tools_suite" "$tools" "gcc-$gcc-$triplet"
[[ -f $tools/.own-libc ]] || own_libc
# shellcheck disable=SC2086 # names
fetch sysroot "$debian" "$suite" "$sysroot" $LIBRARIES
fetch sysroot "$host" "$QEMU_SUITE" "$top/qemu" qemu-user
# It is 300 MB of emulators.
find "$top/qemu/usr/bin" -type f ! -name qemu-mips64el ! -name qemu-aarch64 \
	! -name qemu-riscv64 ! -name qemu-loongarch64 -delete

for tool in ar nm objcopy readelf strip; do
	script $tool "exec $tools/usr/bin/$triplet-$tool \"\$@\""
done
script gcc "exec $tools/usr/bin/$triplet-gcc-$gcc --sysroot=$sysroot \"\$@\""
script pkg-config "export PKG_CONFIG_SYSROOT_DIR=$sysroot" \
	"export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$triplet/pkgconfig:$sysroot/usr/share/pkgconfig" \
	"exec pkg-config \"\$@\""
# By the dynamic linker, not by -L: that would show the program the sysroot's
# folders in place of /, /usr, /etc.
loader=$(compgen -G "$sysroot/usr/lib*/ld*.so.1" | head -n 1)
[[ -n $loader ]] || { echo "setup: $sysroot has no dynamic linker"; exit 1; }
"$top/bin/$arch-gcc" -O2 -D_GNU_SOURCE -DPAGE_BYTES="$page" -fPIC -shared \
	-o "$top/bin/$arch-lacks.so" tests/cross/{lacks,pages}.c || exit 1
script run "exec $top/qemu/usr/bin/qemu-$arch $loader \\" \
	"	--library-path $sysroot/usr/lib/$triplet \\" \
	"	--preload $top/bin/$arch-lacks.so --argv0 \"\$1\" \"\$@\""

# What does not work here would fail later, and say less.
printf '#include <stdio.h>\nint main(void) { return puts("works") < 0; }\n' |
	"$top/bin/$arch-gcc" -x c -o "$top/bin/.$arch-try" - || exit 1
[[ $("$top/bin/$arch-run" "$top/bin/.$arch-try") == works ]] ||
	{ echo "setup: a program for $arch does not run"; exit 1; }
