#!/bin/bash
# SPDX-License-Identifier: MIT
# test_fetch.sh - fetch.sh: what it keeps, refuses, finds and unpacks, offline
cd "$(dirname "$0")/../../.." || exit 1
. tests/lib/tap.sh

for tool in apt-get dpkg-deb; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export CACHE=$tmp/cache DEBIAN_MIRROR=copy:$tmp/mirror/debian
fetch=$PWD/tests/cross/fetch.sh
. tests/cross/fetch.sh

status() {
	("$@") >"$tmp/out" 2>&1
	echo $?
}

# ---- one package ----

root amd64 somewhere
came=0
echo "as the lists say" >"$tmp/sent"
sha=$(sha256sum <"$tmp/sent" | cut -d' ' -f1)
other=$(echo other | sha256sum | cut -d' ' -f1)

is "a package that comes as the lists say is kept" \
	"$(status keep "copy:$tmp/sent" "$tmp/a.deb" "$sha")" 0
ok "its hash is written beside it" \
	sh -c "cd '$tmp' && sha256sum --quiet -c a.deb.sha256"
is "one that is there is not fetched again" \
	"$(status keep "copy:$tmp/nowhere" "$tmp/a.deb" "$sha")" 0
is "one with another hash is an error" \
	"$(status keep "copy:$tmp/sent" "$tmp/b.deb" "$other")" 1
is "and nothing of it stays" "$(find "$tmp" -name 'b*')" ""
is "one that does not come is a reason to skip" \
	"$(status keep "copy:$tmp/nowhere" "$tmp/c.deb" "$sha")" 77
like "which says what" "$(cat "$tmp/out")" 'c\.deb does not come: .*nowhere'
echo damaged >"$tmp/a.deb"
is "one that was damaged here is fetched again" \
	"$(status keep "copy:$tmp/sent" "$tmp/a.deb" "$sha") $(cat "$tmp/a.deb")" \
	"0 as the lists say"

mkdir "$tmp/known"
cp "$tmp/a.deb" "$tmp/known/a_1_amd64.deb"
echo "$sha  a_1_amd64.deb" >"$tmp/known/a_1_amd64.deb.sha256"
is "without lists, what was fetched before is found" \
	"$(known "$tmp/known" amd64 a)" "$tmp/known/a_1_amd64.deb"
is "not for another architecture" "$(status known "$tmp/known" arm64 a)" 77
echo damaged >"$tmp/known/a_1_amd64.deb"
is "not if it was damaged" "$(status known "$tmp/known" amd64 a)" 77

# ---- the machine's sources ----

mkdir -p "$tmp/etc/parts"
cat >"$tmp/etc/conf" <<END
Dir::Etc::SourceList "$tmp/etc/list";
Dir::Etc::SourceParts "$tmp/etc/parts";
Dir::State::lists "$tmp/etc";
END
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
from() {
	(
		unset DEBIAN_MIRROR
		apt-get() { command apt-get -c "$tmp/etc/conf" "$@"; }
		mirror
	)
}
cat >"$tmp/etc/list" <<END
deb [arch=amd64] http://one.invalid/other $codename main
# deb http://off.invalid/debian $codename main
deb http://two.invalid/debian $codename-updates main
deb http://three.invalid/debian $codename contrib main
END
is "the mirror is found in one-line sources" "$(from)" \
	http://three.invalid/debian/
: >"$tmp/etc/list"
cat >"$tmp/etc/parts/debian.sources" <<END
Types: deb
URIs: http://four.invalid/debian
Suites: $codename
Components: main
Enabled: no

Types: deb
URIs: http://five.invalid/debian
Suites: $codename $codename-updates
Components: main
Signed-By: $KEYRING
END
is "and in the newer kind" "$(from)" http://five.invalid/debian/
rm "$tmp/etc/parts/debian.sources"
is "without one there is none" "$(from)" ""

# ---- unpacking ----

# package NAME VERSION DEPENDS: from the files in $tmp/files.
package() {
	mkdir -p "$tmp/files/DEBIAN" "$tmp/mirror/debian/pool"
	printf '%s: %s\n' Package "$1" Version "$2" Architecture amd64 \
		Maintainer none Description none ${3:+Depends "$3"} \
		>"$tmp/files/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$tmp/files" \
		"$tmp/mirror/debian/pool/$1_$2_amd64.deb" >/dev/null
	rm -rf "$tmp/files"
}
mkdir -p "$tmp/files/lib/t" "$tmp/files/usr/lib/t" "$tmp/files/usr/share"
echo old >"$tmp/files/lib/t/libold.so.1"
ln -s /lib/t/libold.so.1 "$tmp/files/usr/lib/t/libold.so"
ln -s libold.so.1 "$tmp/files/lib/t/libalias.so"
ln -s /usr/lib/t "$tmp/files/usr/share/there"
package libold 1 libnew
mkdir -p "$tmp/files/usr/lib/t"
echo new >"$tmp/files/usr/lib/t/libnew.so.1"
package libnew 2:3

ok "packages with /lib and with /usr/lib are unpacked together" \
	unpack "$tmp/sys" "$tmp"/mirror/debian/pool/*.deb
is "/lib is still a link" "$(readlink "$tmp/sys/lib")" usr/lib
mv "$tmp/sys" "$tmp/moved"
is "an absolute link leads into the sysroot, wherever that is" \
	"$(cat "$tmp/moved/usr/lib/t/libold.so")" old
is "also one to a folder" "$(ls "$tmp/moved/usr/share/there")" \
	"$(ls "$tmp/moved/usr/lib/t")"
is "a relative link stays as it was" \
	"$(readlink "$tmp/moved/usr/lib/t/libalias.so")" libold.so.1
is "none is absolute" "$(find "$tmp/moved" -lname '/*')" ""

# ---- a mirror of our own, signed ----

# sign: lists of what is in the pool, by the key in $GNUPGHOME.
sign() {
	local d=dists/somewhere p
	(
		cd "$tmp/mirror/debian" || exit
		mkdir -p $d/main/binary-amd64
		for p in pool/*.deb; do
			dpkg-deb -f "$p"
			printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$p" \
				"$(stat -c %s "$p")" "$(sha256sum <"$p" | cut -d' ' -f1)"
		done >$d/main/binary-amd64/Packages
		cd $d || exit
		{
			printf '%s: %s\n' Origin Debian Suite somewhere \
				Codename somewhere Architectures amd64 \
				Components main Date "$(date -uR)"
			echo SHA256:
			printf ' %s %s %s\n' \
				"$(sha256sum <main/binary-amd64/Packages | cut -d' ' -f1)" \
				"$(stat -c %s main/binary-amd64/Packages)" \
				main/binary-amd64/Packages
		} >Release
		gpg -q --batch --yes --clearsign -o InRelease Release
	)
}
run() {
	status "$fetch" "$@"
}

if ! command -v gpg >/dev/null; then
	skip "lists that are signed" "gpg is not installed"
else
	export GNUPGHOME=$tmp/gpg KEYRING=$tmp/key.gpg
	mkdir -m 700 "$GNUPGHOME"
	gpg -q --batch --passphrase '' --quick-gen-key test@invalid ed25519 \
		sign 2>/dev/null
	gpg -q --export >"$KEYRING"
	ok "a signed mirror is made" sign

	is "a package comes by its name" "$(run deb amd64 somewhere libold)" 0
	like "and its path is printed" "$(cat "$tmp/out")" \
		"$CACHE/deb/somewhere/libold_1_amd64.deb"
	is "a sysroot has what the package depends on" \
		"$(run sysroot amd64 somewhere "$tmp/root" libold) $(
			cat "$tmp/root/lib/t/libnew.so.1")" "0 new"
	is "a name that nobody knows is a reason to skip" \
		"$(run deb amd64 somewhere libnone)" 77
	like "which says the name" "$(cat "$tmp/out")" libnone

	rm -r "$tmp/mirror/debian/pool"
	touch "$tmp/root/mark"
	is "a second call needs no mirror" \
		"$(run sysroot amd64 somewhere "$tmp/root" libold) $(
			run deb amd64 somewhere libold libnew)" "0 0"
	ok "and leaves the sysroot as it is" test -f "$tmp/root/mark"
	mkdir "$tmp/mine"
	touch "$tmp/mine/file"
	is "a folder with something else in it is not touched" \
		"$(run sysroot amd64 somewhere "$tmp/mine" libold) $(ls "$tmp/mine")" \
		"1 file"

	mkdir "$tmp/files"
	package libnew 2:4
	rm "$CACHE/deb/somewhere"/libnew*
	sign
	is "lists that are older than the mirror are fetched again" \
		"$(run deb amd64 somewhere libnew) $(tail -n 1 "$tmp/out")" \
		"0 $CACHE/deb/somewhere/libnew_2%3a4_amd64.deb"

	rm -r "$CACHE/apt"
	echo more >>"$tmp/mirror/debian/dists/somewhere/main/binary-amd64/Packages"
	is "lists that are not what was signed count as none" \
		"$(run deb amd64 somewhere libnew) $(tail -n 1 "$tmp/out")" \
		"0 $CACHE/deb/somewhere/libnew_2%3a4_amd64.deb"
	sign
	sed -i 's/^Suite: .*/Suite: other/' \
		"$tmp/mirror/debian/dists/somewhere/InRelease"
	is "a signature that is wrong is an error" \
		"$(run deb amd64 somewhere libnew)" 1
	sign
	rm "$CACHE/deb/somewhere"/libnew*
	echo more >>"$tmp/mirror/debian/pool/libnew_2:4_amd64.deb"
	is "a package that is not what the lists say is an error" \
		"$(run deb amd64 somewhere libnew)" 1
	is "and nothing of it stays" \
		"$(find "$CACHE/deb/somewhere" -name 'libnew*')" ""
	gpgconf --kill all
fi

done_testing
