#!/bin/bash
# SPDX-License-Identifier: MIT
# image.sh - kernel and initramfs of the guests, in the build folder
#
# Usage: tests/vm/image.sh [FOLDER]
#
# The kernel is the one that Debian's linux-image-cloud-amd64 depends on, as it
# is: its package is downloaded and unpacked, not installed.  The initramfs has
# busybox, the modules of init.sh, and what was built here with its libraries,
# under /snoo as in the build folder.  Both are kept: vmlinuz and initramfs in
# FOLDER ($B/vm).
#
# Status 77: they cannot be had, and the last line says why.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
out=${1:-$B/vm}
export LC_ALL=C
PATH=$PATH:/sbin:/usr/sbin

# What they depend on is found.  vfio_virqfd is a module of its own in 6.1 only.
MODULES="virtio_pci virtio_console virtio_net vfio_virqfd vfio_iommu_type1
vfio-pci nd_btt nd_pmem nfit dax_pmem device_dax"

without() {
	printf '%s\n' "$*"
	exit 77
}

for tool in qemu-system-x86_64 cpio modinfo dpkg-deb apt-get; do
	command -v $tool >/dev/null || without "$tool is not installed: make deps-vm"
done
[[ -x /bin/busybox ]] && ! ldd /bin/busybox >/dev/null 2>&1 ||
	without "busybox-static is not installed: make deps-vm"

# ---- the kernel ----

# The package's name changes with each ABI.  Without lists nothing is known.
kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		awk '/Depends: linux-image-[0-9].*-cloud-amd64$/ { print $2; exit }'
}

fetch_kernel() {
	local package deb tmp=$out/kernel.tmp
	package=$(kernel_package)
	if [[ -z $package ]]; then
		apt-get update -qq >&2 || :
		package=$(kernel_package)
	fi
	[[ -n $package ]] ||
		without "apt knows no linux-image-cloud-amd64: not Debian amd64, or no lists"
	rm -rf "$tmp"
	mkdir -p "$tmp"
	# The lists may be older than what the mirror still has.
	(cd "$tmp" && { apt-get download -qq "$package" ||
		{ apt-get update -qq && apt-get download -qq "$(kernel_package)"; }; }) \
		>"$out/apt.log" 2>&1 ||
		without "$package cannot be downloaded: $(tail -n 1 "$out/apt.log")"
	deb=$(echo "$tmp"/*.deb)
	dpkg-deb -x "$deb" "$tmp/root" || exit 1
	rm -f "$deb"
	rm -rf "$out/kernel"
	mv "$tmp/root" "$out/kernel"
	rm -rf "$tmp"
	cp "$out"/kernel/boot/vmlinuz-* "$out/vmlinuz.new" &&
		mv "$out/vmlinuz.new" "$out/vmlinuz"
}

# ---- the initramfs ----

# put_module NAME: with what it depends on before it; names have - or _.
put_module() {
	local file dep m=${1//-/_}
	[[ " $put " == *" $m "* ]] && return
	put+=" $m"
	file=$(find "$out/kernel" -name "${m//_/[-_]}.ko*" | head -n 1)
	# A part of the kernel itself, or not in this one.
	[[ -n $file ]] || return
	for dep in $(modinfo -F depends "$file" | tr , ' '); do
		put_module "$dep"
	done
	case $file in
	*.xz) xz -dc "$file" >"$root/modules/$m.ko" ;;
	*) cp "$file" "$root/modules/$m.ko" ;;
	esac
	echo "$m" >>"$root/modules/order"
}

put_modules() {
	local m put=
	mkdir -p "$root/modules"
	for m in $MODULES; do
		put_module "$m"
	done
}

# Programs and the libraries that they name, at one place each.
put_programs() {
	local f lib
	mkdir -p "$root"/snoo/{bin,lib,e2e,bench,vm} "$root"/{lib,lib64}
	for f in "$B"/bin/* "$B"/e2e/* "$B"/vm/prog/* "$B"/bench/vm "$B"/bench/vm_tcp; do
		[[ -f $f && -x $f ]] || continue
		case $f in
		*/vm/prog/*) lib=vm ;;
		*/bench/*) lib=bench ;;
		*/e2e/*) lib=e2e ;;
		*) lib=bin ;;
		esac
		objcopy --strip-debug "$f" "$root/snoo/$lib/${f##*/}" || exit 1
	done
	objcopy --strip-debug "$B"/lib/libsnoo-client.so.0 \
		"$root/snoo/lib/libsnoo-client.so.0" || exit 1
	ldd "$root"/snoo/bin/* "$root"/snoo/e2e/* "$root"/snoo/vm/* \
		"$root"/snoo/bench/* 2>/dev/null |
		awk '$2 == "=>" && $3 ~ /^\// { print $3 }
			$1 ~ /^\/.*ld-linux/ { print $1 }' | sort -u |
		while read -r lib; do
			case $lib in
			*libsnoo*) ;;
			*ld-linux*) cp -L "$lib" "$root/lib64/" ;;
			*) cp -L "$lib" "$root/lib/" ;;
			esac
		done
	# glibc loads it when a thread is cancelled.
	cp -L "$(gcc -print-file-name=libgcc_s.so.1)" "$root/lib/"
}

put_base() {
	mkdir -p "$root"/{bin,etc,dev,run,var}
	cp /bin/busybox "$root/bin/"
	install -m 755 tests/vm/init.sh "$root/init"
	install -m 755 tests/vm/guest-daemon.sh "$root/bin/guest-daemon"
	ln -s /bin "$root/sbin"
	printf '%s\n' root:x:0:0::/:/bin/sh nobody:x:65534:65534::/:/bin/false \
		user1:x:1001:1001::/:/bin/sh user2:x:1002:1002::/:/bin/sh \
		user3:x:1003:1003::/:/bin/sh alien:x:2001:2001::/:/bin/sh \
		>"$root/etc/passwd"
	printf '%s\n' root:x:0: snoo:x:100:user1,user2,user3 user1:x:1001: \
		user2:x:1002: user3:x:1003: alien:x:2001: nogroup:x:65534: \
		>"$root/etc/group"
	echo "passwd: files" >"$root/etc/nsswitch.conf"
	chmod -R go+rX "$root"
}

# Nothing to do when nothing that goes in is newer.
stale() {
	[[ -s $out/initramfs && -s $out/vmlinuz ]] || return 0
	[[ -n $(find "$B"/bin "$B"/lib "$B"/e2e "$B"/bench "$B"/vm/prog \
		tests/vm/init.sh tests/vm/guest-daemon.sh tests/vm/image.sh \
		-newer "$out/initramfs" -type f -print -quit 2>/dev/null) ]]
}

mkdir -p "$out"
[[ -s $out/vmlinuz ]] || fetch_kernel
if stale; then
	root=$out/root
	rm -rf "$root"
	mkdir -p "$root"
	put_base
	put_modules
	put_programs
	# Not compressed: a guest's processor is slower than the memory.
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$out/initramfs.new" &&
		mv "$out/initramfs.new" "$out/initramfs" || exit 1
	rm -rf "$root"
fi
