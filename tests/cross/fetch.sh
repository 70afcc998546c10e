#!/bin/bash
# SPDX-License-Identifier: MIT
# fetch.sh - Debian packages of another architecture or suite, in the build folder
#
# Usage: tests/cross/fetch.sh deb ARCH SUITE PACKAGE...
#	 tests/cross/fetch.sh sysroot ARCH SUITE DIR PACKAGE...
#	 tests/cross/fetch.sh sum
#
# deb	   downloads those packages and prints where each .deb lies.
# sysroot  downloads what they depend on, too (not what is recommended), and
#	   unpacks all into DIR, so that --sysroot=DIR and qemu's -L DIR work:
#	   /lib is usr/lib, symlinks are relative.  DIR is made once; with other
#	   packages or another suite it is made anew.  Packages in $ASSUMED count
#	   as installed: they are left out, and what only they depend on.
# sum	   prints how much was fetched for what lies in the cache.
#
# The system's apt is not touched: each ARCH-SUITE has a root of its own below
# $CACHE (build/cache), with lists that are fetched at most once a day.  The
# mirror is the one of the machine's own sources, or $DEBIAN_MIRROR; its proxies and
# whatever else is in apt.conf.d hold here.  A .deb is what the signed lists
# say, by SHA256; one that agrees is not fetched again.  Without lists, the
# .sha256 that was written when it was fetched decides.
#
# Status: 0; 1 is a mistake in the call, a wrong signature or a wrong hash (the
# file is removed); 77 cannot be had, the last line says what and why.
#
# Sourced, it defines functions and does nothing: tests/unit/cross.
set -u
export LC_ALL=C

KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
DAY=1440	# minutes
# Programs that packages of libraries depend on.  Nothing runs in a sysroot, so
# they count as installed: half of the bytes.  And what the caller does without.
ASSUMED="autoconf automake autotools-dev debianutils dpkg m4 perl tar ${ASSUMED:-}"

say() {
	printf 'fetch: %s\n' "$*" >&2
}

wrong() {
	printf 'fetch: %s\n' "$*" >&2
	exit 1
}

without() {
	printf '%s\n' "$*" >&2
	exit 77
}

# ---- one root per architecture and suite ----

# mirror: where this machine gets Debian from, by its sources.
mirror() {
	local codename list
	if [[ -n ${DEBIAN_MIRROR:-} ]]; then
		printf '%s\n' "$DEBIAN_MIRROR"
		return
	fi
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt's own variables
	list=$(apt-get indextargets --no-release-info \
		--format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null)
	# Others have suites of that name, too; the archive is called debian.
	awk -v c="$codename" '
	$2 == "main" && ($1 == c || $1 ~ /^(stable|testing|unstable|sid)$/) {
		if ($3 ~ /\/debian\/?$/ && !named) named = $3
		if (!any) any = $3
	}
	END { print named ? named : any }' <<<"$list"
}

# root ARCH SUITE: make its configuration; sets R, its folder.
root() {
	local arch=$1 suite=$2 uri p
	R=$CACHE/apt/$arch-$suite
	mkdir -p "$R"/{lists/partial,archives/partial,log} || exit 1
	for p in $ASSUMED; do
		printf '%s: %s\n' Package "$p" Version 999 Architecture all \
			Multi-Arch foreign Status "install ok installed" \
			Maintainer none Description none
		echo
	done >"$R/status"
	uri=$(mirror)
	[[ -n $uri ]] || without "no Debian mirror in this machine's apt sources"
	printf 'deb [arch=%s target=Packages lang=none signed-by=%s] %s %s main\n' \
		"$arch" "$(keyring)" "$uri" "$suite" >"$R/sources"
	# The machine's hooks would act on the machine's own caches.
	cat >"$R/conf" <<-END
	#clear APT::Update::Pre-Invoke;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	#clear DPkg::Pre-Invoke;
	#clear DPkg::Post-Invoke;
	#clear DPkg::Pre-Install-Pkgs;
	#clear APT::Architectures;
	APT::Architecture "$arch";
	APT::Architectures { "$arch"; };
	APT::Default-Release "";
	APT::Install-Recommends "false";
	APT::Install-Suggests "false";
	APT::Sandbox::User "";
	Dir::State "$R";
	Dir::State::status "$R/status";
	Dir::State::lists "$R/lists";
	Dir::State::extended_states "$R/extended_states";
	Dir::Cache "$R";
	Dir::Cache::archives "$R/archives";
	Dir::Cache::pkgcache "pkgcache.bin";
	Dir::Cache::srcpkgcache "srcpkgcache.bin";
	Dir::Log "$R/log";
	Dir::Etc::SourceList "$R/sources";
	Dir::Etc::SourceParts "/dev/null";
	Dir::Etc::Preferences "/dev/null";
	Dir::Etc::PreferencesParts "/dev/null";
	Dir::Etc::Trusted "/dev/null";
	Dir::Etc::TrustedParts "/dev/null";
	Acquire::ForceHash "SHA256";
	Acquire::GzipIndexes "true";
	Acquire::Retries "2";
	Acquire::http::Timeout "30";
	Acquire::https::Timeout "30";
	END
}

# A newer one, unpacked from a package, is in the cache.
keyring() {
	local newer=$CACHE/keyring/usr/share/keyrings/debian-archive-keyring.gpg
	if [[ -s $newer ]]; then
		printf '%s\n' "$newer"
	else
		printf '%s\n' "$KEYRING"
	fi
}

# update: fetch the lists of R anew; its messages are in R/log/update.
update() {
	timeout -k 10 300 apt-get -c "$R/conf" -q update --error-on=any \
		>"$R/log/update" 2>&1 || return 1
	: >"$R/stamp"
}

has_lists() {
	compgen -G "$R/lists/*_Packages*" >/dev/null
}

# refresh ARCH SUITE: lists of today, or older ones when those cannot be had.
refresh() {
	local arch=$1 suite=$2
	root "$arch" "$suite"
	[[ -z $(find "$R/stamp" -mmin -$DAY 2>/dev/null) ]] || ! has_lists ||
		return 0
	update && return 0
	if grep -q NO_PUBKEY "$R/log/update" && newer_keyring; then
		root "$arch" "$suite"
		update && return 0
	fi
	! grep -qE 'BADSIG|is not signed' "$R/log/update" ||
		wrong "the lists of $suite are not signed as they should be: $(why)"
	if has_lists; then
		say "the lists of $suite for $arch are not of today: $(why)"
	else
		say "no lists of $suite for $arch: $(why)"
		return 1
	fi
}

# why: the first complaint of the last update.
why() {
	grep -m 1 '^[EW]:' "$R/log/update" || tail -n 1 "$R/log/update"
}

# newer_keyring: a suite may be signed by a key that this machine is too old
# to know; the keyring that has it is signed by one that it knows.
newer_keyring() {
	local codename suite deb asked=${asked_keyring:-}
	[[ -z $asked ]] || return 1
	asked_keyring=1
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	for suite in "$codename-updates" "$codename-backports" "$codename"; do
		deb=$(fetch_debs amd64 "$suite" debian-archive-keyring) || continue
		rm -rf "$CACHE/keyring"
		dpkg-deb -x "$deb" "$CACHE/keyring" && return 0
	done
	return 1
}

# ---- packages ----

# right FILE SHA256: the file is there and is that one.
right() {
	[[ -s $1 && -n $2 && $(sha256sum <"$1") == "$2  -" ]]
}

# keep URI FILE SHA256: FILE is that package, fetched if it is not there yet.
# 1: what came is another one, and is gone again.  77: nothing came.  Counted
# in `came`.
keep() {
	local uri=$1 file=$2 sha=$3
	if right "$file" "$sha"; then
		return 0
	fi
	rm -f "$file" "$file.sha256" "$file.part"
	timeout -k 10 900 /usr/lib/apt/apt-helper -c "$R/conf" download-file \
		"$uri" "$file.part" >"$R/log/download" 2>&1
	if [[ ! -s $file.part ]]; then
		say "${file##*/} does not come: $(grep -m 1 '^[EW]:' "$R/log/download")"
		return 77
	fi
	if ! right "$file.part" "$sha"; then
		rm -f "$file.part"
		say "${file##*/}: what came has another hash than the lists say"
		return 1
	fi
	printf '%s  %s\n' "$sha" "${file##*/}" >"$file.sha256" &&
		mv "$file.part" "$file" || return 1
	came=$((came + 1))
}

# uris VERB PACKAGE...: "URI FILE SIZE SHA256" of each, by the lists of R.
uris() {
	local verb=$1
	shift
	apt-get -c "$R/conf" -qq -y --print-uris "$verb" "$@" 2>"$R/log/uris" |
		sed -n "s/^'\([^']*\)' \([^ ]*\) \([0-9]*\) SHA256:\([0-9a-f]*\)$/\1 \2 \3 \4/p"
	[[ ${PIPESTATUS[0]} == 0 ]]
}

# keep_all DIR: the lines of uris, from the standard input, kept in DIR.  The
# name in the lists has an epoch escaped, as apt's own cache has it.
keep_all() {
	local uri file sha rc came=0
	while read -r uri file _ sha; do
		keep "$uri" "$1/$file" "$sha" </dev/null
		rc=$?
		((rc == 0)) || return $rc
		printf '%s\n' "$1/$file"
	done
	((!came)) || say "${R##*/}: $came packages came"
}

# known DIR ARCH PACKAGE...: without lists, what was fetched before.
known() {
	local dir=$1 arch=$2 p f found
	shift 2
	for p; do
		found=
		for f in "$dir/$p"_*_{"$arch",all}.deb; do
			[[ -f $f.sha256 ]] || continue
			right "$f" "$(cut -d' ' -f1 "$f.sha256")" || continue
			[[ -n $found && $found -nt $f ]] || found=$f
		done
		[[ -n $found ]] || return 77
		printf '%s\n' "$found"
	done
}

# resolve_and_keep DIR VERB PACKAGE...: prints paths.  A mirror drops what a
# newer version has replaced: then the lists are too old.
resolve_and_keep() {
	local dir=$1 list rc
	shift
	list=$(uris "$@") || {
		say "$(grep -m 1 '^E:' "$R/log/uris")"
		return 77
	}
	keep_all "$dir" <<<"$list"
	rc=$?
	((rc == 77)) && update && [[ $(uris "$@") != "$list" ]] || return $rc
	list=$(uris "$@") || return 77
	keep_all "$dir" <<<"$list"
}

# fetch_debs ARCH SUITE PACKAGE...: prints paths.
fetch_debs() {
	local arch=$1 suite=$2 R dir=$CACHE/deb/$2 out rc
	shift 2
	mkdir -p "$dir" || return 1
	if refresh "$arch" "$suite"; then
		out=$(resolve_and_keep "$dir" download "$@")
	else
		out=$(known "$dir" "$arch" "$@")
	fi
	rc=$?
	((rc == 0)) && printf '%s\n' "$out"
	return $rc
}

# ---- sysroot ----

# relocate DIR: symlinks that begin at / begin at DIR, wherever that lies.
relocate() {
	local dir link to
	dir=$(cd "$1" && pwd -P) || return
	find "$dir" -type l -lname '/*' -print0 |
		while IFS= read -r -d '' link; do
			to=$(readlink "$link")
			ln -sfn "$(realpath -sm --relative-to="${link%/*}" \
				"$dir$to")" "$link" || exit
		done
}

# unpack DIR DEB...: as on a system where /lib is usr/lib.  Links into /lib from
# packages that still have it must not be replaced by a folder.
unpack() {
	local dir=$1 d deb
	shift
	for d in bin sbin lib lib32 lib64 libn32 libx32; do
		mkdir -p "$dir/usr/$d" && ln -s "usr/$d" "$dir/$d" || return
	done
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x --keep-directory-symlink --no-same-owner -C "$dir"
		[[ ${PIPESTATUS[*]} == "0 0" ]] || return 1
	done
	relocate "$dir"
}

# fetch_sysroot ARCH SUITE DIR PACKAGE...
fetch_sysroot() {
	local arch=$1 suite=$2 dir=$3 R out rc stamp
	shift 3
	stamp="$arch $suite $* without $ASSUMED"
	[[ -f $dir/.fetched && $(<"$dir/.fetched") == "$stamp" ]] && return 0
	if [[ -e $dir && ! -f $dir/.fetched && -n $(ls -A "$dir") ]]; then
		say "$dir has something else in it"
		return 1
	fi
	refresh "$arch" "$suite" || return 77
	mkdir -p "$CACHE/deb/$suite" || return 1
	out=$(resolve_and_keep "$CACHE/deb/$suite" install "$@")
	rc=$?
	((rc == 0)) || return $rc
	rm -rf "$dir.part"
	mapfile -t out <<<"$out"
	mkdir -p "$dir.part" && unpack "$dir.part" "${out[@]}" &&
		printf '%s\n' "$stamp" >"$dir.part/.fetched" || return 1
	rm -rf "$dir"
	mv "$dir.part" "$dir"
}

# ----

# sum: bytes of all packages and, as they were sent, of all lists.
sum() {
	local r arch
	{
		find "$CACHE/deb" -name '*.deb' -printf 'deb %s\n' 2>/dev/null
		for r in "$CACHE"/apt/*/; do
			arch=${r#"$CACHE/apt/"}
			cat "$r"/lists/*_InRelease 2>/dev/null |
				awk -v f="main/binary-${arch%%-*}/Packages.xz" '
				{ n += length($0) + 1 }
				$3 == f && length($1) == 64 { n += $2 }
				END { print "list", n + 0 }'
		done
	} | awk '{ n[$1] += $2 }
	END {
		printf "packages %.1f MB, lists %.1f MB, %.1f MB in all\n",
			n["deb"] / 1e6, n["list"] / 1e6,
			(n["deb"] + n["list"]) / 1e6
	}'
}

main() {
	local verb=${1:-} least tool
	shift
	case $verb in
	deb) least=3 ;;
	sysroot) least=4 ;;
	sum) least=0 ;;
	*) wrong "deb, sysroot or sum" ;;
	esac
	(($# >= least)) || wrong "$verb: too few arguments"
	for tool in apt-get dpkg-deb flock sha256sum; do
		command -v $tool >/dev/null || without "$tool is not installed"
	done
	[[ -r $KEYRING ]] || without "no keyring of the archive: $KEYRING"
	mkdir -p "$CACHE" || exit 1
	# One at a time; what apt starts does not hold it.
	exec 9>"$CACHE/lock"
	flock -w 1200 9 || without "another fetch holds $CACHE/lock"
	case $verb in
	deb) fetch_debs "$@" 9>&- ;;
	sysroot) fetch_sysroot "$@" 9>&- ;;
	sum) sum ;;
	esac
	exit
}

CACHE=${CACHE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/cache}
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	main "$@"
fi
