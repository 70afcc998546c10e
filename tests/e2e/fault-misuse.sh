#!/bin/bash
# SPDX-License-Identifier: MIT
# fault-misuse.sh - wrong calls: a clear message and status 1, or their code
. tests/lib/e2e.sh

daemon_start --pool-size 16M
bystander_start

# wrong CASE REGEX: the paper's calls with the default handler.
wrong() {
	run_ends "$1" 1 "^$2" env SNOO_SOCKET="$SOCKET" "$E2E/misuse" "$1"
}

wrong init-twice "SNOO_MPI_Init: called twice"
wrong init-null "SNOO_MPI_Init: .*name"
wrong init-empty "SNOO_MPI_Init: .*name is empty"
wrong init-long "SNOO_MPI_Init: .*79 characters, at most 63"
wrong init-odd "SNOO_MPI_Init: .*character 2"
wrong send-before "SNOO_MPI_Send: called before SNOO_MPI_Init"
wrong recv-before "SNOO_MPI_Recv: called before SNOO_MPI_Init"
wrong rank-before "SNOO_MPI_Comm_rank: called before SNOO_MPI_Init"
wrong size-before "SNOO_MPI_Comm_size: called before SNOO_MPI_Init"
wrong finalize-before "SNOO_MPI_Finalize: called before SNOO_MPI_Init"
wrong send-after "SNOO_MPI_Send: called after SNOO_MPI_Finalize"
wrong finalize-twice "SNOO_MPI_Finalize: called after SNOO_MPI_Finalize"
wrong rank-null "SNOO_MPI_Comm_rank: rank is NULL"
wrong bad-dest "SNOO_MPI_Send: rank 1: the job has ranks 0 to 0"
wrong negative-dest "SNOO_MPI_Send: rank -1: the job has ranks 0 to 0"
wrong bad-source "SNOO_MPI_Recv: rank 7: the job has ranks 0 to 0"
wrong negative-count "SNOO_MPI_Send: count -1 is negative"
wrong unknown-type "SNOO_MPI_Send: unknown datatype 0x1267"
wrong forged-type "SNOO_MPI_Send: unknown datatype 0x44540705"
wrong unknown-comm "SNOO_MPI_Recv: communicator 0x11"
wrong negative-flag "SNOO_MPI_Send: flag -3 is negative"
wrong null-buffer "SNOO_MPI_Send: message is NULL, count is 1"
wrong small-buffer "SNOO_MPI_Recv: .*longer than the receive buffer"
run_ends "no daemon" 1 "SNOO_MPI_Init: no snoo-daemon at $D/none.*snoorun" \
	env SNOO_SOCKET="$D/none" "$E2E/misuse" send-after

run_ends "a handler that returns" 0 "rank 9" env SNOO_SOCKET="$SOCKET" \
	"$E2E/misuse" handler
run_ends "the native calls return their codes" 0 "" env \
	SNOO_SOCKET="$SOCKET" SNOO_RANK=0 SNOO_SIZE=1 "$E2E/misuse" native
bystander_end
books_balance "every byte of the pool is free again"
done_testing
