#!/bin/bash
# SPDX-License-Identifier: MIT
# image.sh - emulator, kernel and initramfs of the Loongson machine
#
# Usage: tests/loongson/image.sh [FOLDER]
#
# Emulator, kernel and busybox are Debian's, downloaded and unpacked by
# tests/cross/fetch.sh, not installed: QEMU of the backports, because Debian 12's
# own has no inter-core registers in this machine, and the kernel that
# linux-image-loongson-3 depends on, as it is.  The initramfs has busybox and
# what was built for mips64el with the libraries that it names, under /snoo as
# in the build folder.  Kept in FOLDER ($B/loongson): qemu/, vmlinuz, initramfs.
#
# Status 77: they cannot be had, and the last line says why.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
out=${1:-$B/loongson}
X=build/cross/mips64el		# tests/cross/build.sh
tool=build/cross/bin/mips64el-
sysroot=build/cross/sysroot/mips64el
libs=lib/mips64el-linux-gnuabi64
export LC_ALL=C
PATH=$PATH:/sbin:/usr/sbin

without() {
	printf '%s\n' "$*"
	exit 77
}

# fetch ARCH SUITE PACKAGE: the path of its .deb.
fetch() {
	tests/cross/fetch.sh deb "$@" || exit
}

for t in cpio dpkg-deb flock setpriv; do
	command -v $t >/dev/null || without "$t is not installed: make deps-loongson"
done
[[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] ||
	without "the emulator is fetched for amd64 alone"
[[ ! -s $out/why ]] || without "nothing is built for mips64el: $(<"$out/why")"
[[ -x $X/loongson/prog/ferry && -s $X/loongson/shim.bin ]] ||
	without "nothing is built for mips64el: make check-loongson"
mkdir -p "$out"
exec 9>"$out/lock"
flock 9

# ---- emulator and kernel ----

fetch_qemu() {
	local deb missing
	deb=$(fetch amd64 bookworm-backports qemu-system-mips) || exit
	rm -rf "$out/qemu.new" "$out/qemu"
	dpkg-deb -x "$deb" "$out/qemu.new" || exit 1
	missing=$(ldd "$out/qemu.new/usr/bin/qemu-system-mips64el" |
		awk '/not found/ { printf " %s", $1 }')
	[[ -z $missing ]] ||
		without "QEMU lacks libraries, make deps-loongson:$missing"
	# It must find no module of another version.
	mkdir -p "$out/no-modules"
	mv "$out/qemu.new" "$out/qemu"
}

# The package's name changes with each ABI.
fetch_kernel() {
	local deb name
	deb=$(fetch mips64el bookworm linux-image-loongson-3) || exit
	name=$(dpkg-deb -f "$deb" Depends | grep -o 'linux-image-[0-9][^ ,]*')
	deb=$(fetch mips64el bookworm "$name") || exit
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards './boot/vmlinuz-*' >"$out/vmlinuz.new" || exit 1
	mv "$out/vmlinuz.new" "$out/vmlinuz"
}

fetch_busybox() {
	local deb
	deb=$(fetch mips64el bookworm busybox-static) || exit
	dpkg-deb --fsys-tarfile "$deb" | tar -xO ./bin/busybox \
		>"$out/busybox.new" || exit 1
	chmod 755 "$out/busybox.new"
	mv "$out/busybox.new" "$out/busybox"
}

# ---- the initramfs ----

# put_libraries FILE...: what they name, what that names, and its loader.
put_libraries() {
	local name file
	"${tool}readelf" -dl "$@" 2>/dev/null |
		sed -n -e 's/.*(NEEDED).*\[\(.*\)\]/\1/p' \
			-e 's/.*Requesting program interpreter: \/\(.*\)\]/\1/p' |
		sort -u |
		while read -r name; do
			case $name in
			libsnoo*) continue ;;
			*/*) file=$root/$name name=${name##*/} ;;
			*) file=$root/$libs/$name ;;
			esac
			[[ -e $file ]] && continue
			mkdir -p "${file%/*}"
			name=$(find -L "$sysroot/lib" "$sysroot/usr/lib" -maxdepth 2 \
				-name "$name" -print -quit)
			[[ -n $name ]] ||
				without "the libraries of mips64el lack ${file##*/}"
			cp -L "$name" "$file" || exit 1
			put_libraries "$file" || exit
		done
}

# put FOLDER FILE...
put() {
	local f to=$root/snoo/$1
	shift
	mkdir -p "$to"
	for f; do
		[[ -f $f && -x $f ]] || continue
		"${tool}objcopy" --strip-debug "$f" "$to/${f##*/}" || exit 1
	done
}

put_programs() {
	local d
	put bin "$X"/bin/*
	put lib "$X"/lib/libsnoo-client.so.0
	put e2e "$X"/e2e/*
	put bench "$X"/bench/*
	put vm "$X"/vm/prog/agent
	put loongson "$X"/loongson/prog/*
	for d in "$X"/tests/unit/*/ "$X"/tests/hal/; do
		d=${d#"$X/"}
		put "${d%/}" "$X/$d"test_*
	done
	# Tests read these.
	mkdir -p "$root/snoo/doc"
	cp -r config "$root/snoo/"
	cp -r doc/man "$root/snoo/doc/"
	# glibc loads it when a thread is cancelled.
	mkdir -p "$root/$libs"
	cp -L "$sysroot/$libs/libgcc_s.so.1" "$root/$libs/" || exit 1
	# shellcheck disable=SC2046 # no spaces in these
	put_libraries $(find "$root/snoo" -type f -perm -u+x) || exit
}

put_base() {
	mkdir -p "$root"/{bin,etc,dev,run,var}
	cp "$out/busybox" "$root/bin/"
	ln -s busybox "$root/bin/sh"
	install -m 755 tests/loongson/init.sh "$root/init"
	install -m 755 tests/loongson/daemon.sh "$root/bin/daemon"
	ln -s /bin "$root/sbin"
	printf '%s\n' root:x:0:0::/:/bin/sh nobody:x:65534:65534::/:/bin/false \
		user1:x:1001:1001::/:/bin/sh user2:x:1002:1002::/:/bin/sh \
		>"$root/etc/passwd"
	printf '%s\n' root:x:0: snoo:x:100:user1,user2 user1:x:1001: \
		user2:x:1002: nogroup:x:65534: >"$root/etc/group"
	echo "passwd: files" >"$root/etc/nsswitch.conf"
	chmod -R go+rX "$root"
}

# Nothing to do when nothing that goes in is newer.
stale() {
	[[ -s $out/initramfs ]] || return 0
	[[ -n $(find "$X"/bin "$X"/lib "$X"/e2e "$X"/bench "$X"/vm "$X"/loongson \
		"$X"/tests config doc/man tests/loongson/init.sh \
		tests/loongson/daemon.sh tests/loongson/image.sh \
		"$out/busybox" -newer "$out/initramfs" -type f -print -quit) ]]
}

[[ -x $out/qemu/usr/bin/qemu-system-mips64el ]] || fetch_qemu
[[ -s $out/vmlinuz ]] || fetch_kernel
[[ -s $out/busybox ]] || fetch_busybox
cmp -s "$X/loongson/shim.bin" "$out/shim.bin" ||
	cp "$X/loongson/shim.bin" "$out/shim.bin" || exit 1
if stale; then
	root=$out/root
	rm -rf "$root"
	mkdir -p "$root"
	put_base
	put_programs
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$out/initramfs.new" &&
		mv "$out/initramfs.new" "$out/initramfs" || exit 1
	rm -rf "$root"
fi
