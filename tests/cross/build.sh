#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh - the whole tree for another processor, warnings are errors
#
# Usage: tests/cross/build.sh ARCH [MAKE-ARGUMENT...]
#
# Programs, library, examples, bench and every kind of test program go to
# build/cross/ARCH, as a build for this machine goes to build/.  Further
# arguments are make's, instead of all that: a target, V=1.
#
# Status: 0; 77 compiler or libraries cannot be had, the last line says why;
# anything else is a failure.
set -u
cd "$(dirname "$0")/../.." || exit 1

arch=${1:-}
shift
top=$PWD/build/cross
tests/cross/setup.sh "$arch" "$top" || exit
(($#)) || set -- -k tests \
	KINDS="layers abi unit hal platform crash stress e2e vm"
MAKEFLAGS='' exec "${MAKE:-make}" --no-print-directory -j"$(nproc)" \
	B="build/cross/$arch" WERROR=1 BPF=0 SAN= \
	CC="$top/bin/$arch-gcc" AR="$top/bin/$arch-ar" \
	NM="$top/bin/$arch-nm" OBJCOPY="$top/bin/$arch-objcopy" \
	PKG_CONFIG="$top/bin/$arch-pkg-config" "$@"
