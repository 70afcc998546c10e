# SPDX-License-Identifier: MIT
# peers.sh - the MPIs that we are measured beside: found, compiled for, started, described
# shellcheck shell=bash disable=SC2034,SC2154
#
#   mpich_find, openmpi_find is it installed?  0 or 1; says so in *_WHY
#   mpi_cc NAME OUT FLAGS    compile our sources against it
#   mpi_run NAME N PROGRAM   N ranks in its best setting; all on ON_CORE, if set
#   settings_json            how the peers are set
#
# NAME_nocma is the same MPI without kernel-assisted single copy (CMA, that is
# process_vm_readv): what is left of it between containers and VMs.
#
# Needs lib.sh.

MPICH_WHY=
OPENMPI_WHY=

# find KIND: the compiler wrapper and launcher, under Debian's names or plain.
mpi_tool() {
	local kind=$1 tool=$2 p
	for p in "$tool.$kind" "$tool"; do
		command -v "$p" >/dev/null || continue
		[[ $p == "$tool.$kind" ]] ||
			"$p" --version 2>&1 | mpi_is "$kind" ||
			"$p" -show 2>&1 | mpi_is "$kind" || continue
		printf '%s\n' "$p"
		return 0
	done
	return 1
}
mpi_is() {
	case $1 in
	mpich) grep -qiE 'mpich|hydra' ;;
	openmpi) grep -qiE 'open.?mpi|open.?rte' ;;
	esac
}

mpich_find() {
	MPICH_CC=$(mpi_tool mpich mpicc) && MPICH_RUN=$(mpi_tool mpich mpiexec) ||
		MPICH_WHY="MPICH is not installed (Debian: mpich libmpich-dev)"
	[[ -z $MPICH_WHY ]]
}
openmpi_find() {
	OPENMPI_CC=$(mpi_tool openmpi mpicc) && OPENMPI_RUN=$(mpi_tool openmpi mpiexec) ||
		OPENMPI_WHY="Open MPI is not installed (Debian: openmpi-bin libopenmpi-dev)"
	[[ -z $OPENMPI_WHY ]]
}

# The flags of our own programs.  (MPICH's MPI_STATUSES_IGNORE is no array that
# gcc would like, hence the one warning less.)
mpi_cc() {
	local kind=$1 out=$2 cc=MPICH_CC
	[[ $kind == openmpi ]] && cc=OPENMPI_CC
	shift 2
	# Nothing changed since?
	[[ -x $out && -z $(find "$TOP/bench" -name '*.[ch]' -newer "$out") ]] && return 0
	mkdir -p "${out%/*}"
	(cd "$TOP" && "${!cc}" -std=c11 -D_GNU_SOURCE -Iinclude -I. -O2 -g \
		-Wall -Wextra -Wno-stringop-overflow "$@" -o "$out" -lm)
}

# Pinned one rank a core, and kernel-assisted single copy where they use it
# (UCX's and vader's default; ptrace must be allowed between the ranks, which
# it is for processes of one user unless Yama forbids it).  Debian's MPICH goes
# through UCX, also inside a host, so that UCX's variable decides there.
MPICH_SETTING='mpiexec -bind-to core'
MPICH_NOCMA='UCX_TLS=^cma'
OPENMPI_SETTING='mpiexec --bind-to core --mca btl vader,self --mca pml ob1'
OPENMPI_NOCMA='--mca btl_vader_single_copy_mechanism none'
mpi_run() {
	local kind=${1%_nocma} n=$2 more=() bind=core on=()
	[[ $1 != *_nocma ]] || more=(nocma)
	shift 2
	if [[ -n ${ON_CORE:-} ]]; then
		on=(taskset -c "$ON_CORE")
		bind=none
	fi
	if [[ $kind == mpich ]]; then
		((${#more[@]})) && more=("$MPICH_NOCMA")
		env "${more[@]}" timeout -k 5 "$LIMIT" "${on[@]}" \
			"$MPICH_RUN" -n "$n" -bind-to "$bind" "$@"
		return
	fi
	((n > $(nproc))) && bind=none
	[[ $bind == none ]] && bind+=' --oversubscribe'
	((${#more[@]})) && bind+=" $OPENMPI_NOCMA"
	# shellcheck disable=SC2086 # a list of words
	OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
		timeout -k 5 "$LIMIT" "${on[@]}" "$OPENMPI_RUN" -n "$n" \
		--bind-to $bind --mca btl vader,self --mca pml ob1 "$@"
}

# CMA works if ptrace of a process of the same user does.
cma_state() {
	local yama=/proc/sys/kernel/yama/ptrace_scope
	if [[ $(id -u) == 0 || ! -r $yama || $(<"$yama") == 0 ]]; then
		printf 'on\n'
	else
		printf 'off: kernel.yama.ptrace_scope is %s\n' "$(<"$yama")"
	fi
}

peer_version() {
	case $1 in
	mpich) "$MPICH_RUN" --version 2>/dev/null |
		awk '/Version:/ { print "MPICH " $2; exit }' ;;
	openmpi) "$OPENMPI_RUN" --version 2>/dev/null |
		awk 'NR == 1 { print "Open MPI " $NF }' ;;
	esac
}

settings_json() {
	local mpich='' openmpi='' mpich_nocma='' openmpi_nocma=''
	[[ -z $MPICH_WHY && -n ${MPICH_RUN:-} ]] &&
		mpich="$(peer_version mpich), $MPICH_SETTING, CMA $(cma_state)${UCX_TLS:+, UCX_TLS=$UCX_TLS}"
	[[ -z $OPENMPI_WHY && -n ${OPENMPI_RUN:-} ]] &&
		openmpi="$(peer_version openmpi), $OPENMPI_SETTING, CMA $(cma_state)"
	[[ -n $mpich ]] && mpich_nocma="the same, $MPICH_NOCMA"
	[[ -n $openmpi ]] && openmpi_nocma="the same, $OPENMPI_NOCMA"
	jq -n --arg snoo "SNOO $(awk '/define SNOO_VERSION_M/ { v = v s $3; s = "." } END { print v }' \
		"$TOP/include/snoo/snoo.h"), private snoo-daemon, ranks pinned by it" \
		--arg mpich "${mpich:-skipped: $MPICH_WHY}" \
		--arg openmpi "${openmpi:-skipped: $OPENMPI_WHY}" \
		--arg mpich_nocma "${mpich_nocma:-skipped: $MPICH_WHY}" \
		--arg openmpi_nocma "${openmpi_nocma:-skipped: $OPENMPI_WHY}" \
		'{snoo: $snoo, mpich: $mpich, openmpi: $openmpi,
		  mpich_nocma: $mpich_nocma, openmpi_nocma: $openmpi_nocma}'
}
