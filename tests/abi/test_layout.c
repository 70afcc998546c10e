/* SPDX-License-Identifier: MIT */
/*
 * test_layout.c - prints every offset and size that two processes agree on
 *
 * One line a thing: kind, name, numbers.  tests/abi/N.txt is what this
 * printed when major version N was fixed; layout.sh compares.
 */
#include <stdio.h>

#include <snoo/abi.h>
#include <snoo/control.h>
#include <snoo/wire.h>

#include "hal/regs.h"
#include "shm/counters.h"

#define FIELD(type, field) \
	printf("field %-24s %-16s at %5zu size %5zu\n", #type, #field, \
	       offsetof(struct type, field), \
	       sizeof(((struct type *)0)->field))
#define SIZE(type) \
	printf("struct %-40s size %5zu align %4zu\n", #type, \
	       sizeof(struct type), _Alignof(struct type))
#define VALUE(name) \
	printf("value %-40s %#18llx\n", #name, (unsigned long long)(name))

static void pool(void)
{
	SIZE(snoo_abi_pool);
	FIELD(snoo_abi_pool, magic);
	FIELD(snoo_abi_pool, major);
	FIELD(snoo_abi_pool, minor);
	FIELD(snoo_abi_pool, size);
	FIELD(snoo_abi_pool, reserved0);
	FIELD(snoo_abi_pool, hints_off);
	FIELD(snoo_abi_pool, regs_off);
	FIELD(snoo_abi_pool, ranks_off);
	FIELD(snoo_abi_pool, descs_off);
	FIELD(snoo_abi_pool, arena_off);
	FIELD(snoo_abi_pool, arena_units);
	FIELD(snoo_abi_pool, nranks);
	FIELD(snoo_abi_pool, epoch);
	FIELD(snoo_abi_pool, state);
	FIELD(snoo_abi_pool, asleep);
}

static void rank(void)
{
	SIZE(snoo_abi_rank);
	FIELD(snoo_abi_rank, state);
	FIELD(snoo_abi_rank, rank);
	FIELD(snoo_abi_rank, job);
	FIELD(snoo_abi_rank, instance);
	FIELD(snoo_abi_rank, news);
	FIELD(snoo_abi_rank, sharers);
	FIELD(snoo_abi_rank, allow);
	FIELD(snoo_abi_rank, core);
	FIELD(snoo_abi_rank, registers);
	FIELD(snoo_abi_rank, minor);
	FIELD(snoo_abi_rank, wait);
	FIELD(snoo_abi_rank, used);
	FIELD(snoo_abi_rank, want);
	FIELD(snoo_abi_rank, want_since_ns);
	FIELD(snoo_abi_rank, want_peer);
	FIELD(snoo_abi_rank, call);
	FIELD(snoo_abi_rank, call_since_ns);
	FIELD(snoo_abi_rank, turn_with);
	FIELD(snoo_abi_rank, summary);
	FIELD(snoo_abi_rank, newcomers);
	FIELD(snoo_abi_rank, counters);
}

static void arena(void)
{
	SIZE(snoo_abi_desc);
	FIELD(snoo_abi_desc, word);
	FIELD(snoo_abi_desc, units);
	FIELD(snoo_abi_desc, read_ns);
	FIELD(snoo_abi_desc, reserved);
	SIZE(snoo_abi_register);
	FIELD(snoo_abi_register, peer);
	FIELD(snoo_abi_register, length);
	FIELD(snoo_abi_register, number);
	FIELD(snoo_abi_register, data);
	SIZE(snoo_abi_job);
	FIELD(snoo_abi_job, job);
	FIELD(snoo_abi_job, capacity);
	FIELD(snoo_abi_job, stride);
	FIELD(snoo_abi_job, size);
	FIELD(snoo_abi_job, joined);
	FIELD(snoo_abi_job, meets);
	SIZE(snoo_abi_turn);
	FIELD(snoo_abi_turn, arrived);
	FIELD(snoo_abi_turn, what);
	FIELD(snoo_abi_turn, bytes);
	FIELD(snoo_abi_turn, data);
	FIELD(snoo_abi_turn, reserved);
	SIZE(snoo_abi_meet);
	FIELD(snoo_abi_meet, turn);
	SIZE(snoo_abi_member);
	FIELD(snoo_abi_member, slot);
	FIELD(snoo_abi_member, state);
	SIZE(snoo_abi_ring);
	FIELD(snoo_abi_ring, nlines);
	FIELD(snoo_abi_ring, home);
	FIELD(snoo_abi_ring, published);
	FIELD(snoo_abi_ring, reserved0);
	FIELD(snoo_abi_ring, consumed);
}

static void registers(void)
{
	SIZE(hal_block);
	FIELD(hal_block, status);
	FIELD(hal_block, enable);
	FIELD(hal_block, set);
	FIELD(hal_block, clear);
	FIELD(hal_block, reserved0);
	FIELD(hal_block, mail);
	FIELD(hal_block, reserved1);
	FIELD(hal_block, offline);
}

static void abi_values(void)
{
	VALUE(SNOO_ABI_MAGIC);
	VALUE(SNOO_ABI_MAJOR);
	VALUE(SNOO_ABI_MINOR);
	VALUE(SNOO_ABI_LINE);
	VALUE(SNOO_ABI_PAIR);
	VALUE(SNOO_ABI_UNIT);
	VALUE(SNOO_ABI_HEAD_OFFSET);
	VALUE(SNOO_ABI_SIZE_MAX);
	VALUE(SNOO_ABI_JOB_RANKS);
	VALUE(SNOO_ABI_REGS_STRIDE);
	VALUE(SNOO_ABI_TYPE_BITS);
	VALUE(SNOO_ABI_LAP_SHIFT);
	VALUE(SNOO_ABI_LAP_MASK);
	VALUE(SNOO_ABI_FLAG_SHIFT);
	VALUE(SNOO_ABI_FLAG_MASK);
	VALUE(SNOO_ABI_INLINE_SHIFT);
	VALUE(SNOO_ABI_INLINE_MASK);
	VALUE(SNOO_ABI_CONTEXT_SHIFT);
	VALUE(SNOO_ABI_CONTEXT_MASK);
	VALUE(SNOO_ABI_TAG_SHIFT);
	VALUE(SNOO_ABI_INLINE_MAX);
	VALUE(SNOO_ABI_WIDE_MAX);
	VALUE(SNOO_ABI_PIECE_MAX);
	VALUE(SNOO_ABI_NONE);
	VALUE(SNOO_ABI_DATA);
	VALUE(SNOO_ABI_BLOCK);
	VALUE(SNOO_ABI_OFFER);
	VALUE(SNOO_ABI_ACCEPT);
	VALUE(SNOO_ABI_DONE);
	VALUE(SNOO_ABI_CREDIT);
	VALUE(SNOO_ABI_CONTROL);
	VALUE(SNOO_ABI_LOAN);
	VALUE(SNOO_ABI_CANCEL);
	VALUE(SNOO_ABI_PIECE);
	VALUE(SNOO_ABI_LEAVE);
	VALUE(SNOO_ABI_WIDE);
	VALUE(SNOO_ABI_SYNC);
	VALUE(SNOO_ABI_INSTEAD);
	VALUE(SNOO_ABI_STREAM);
	VALUE(SNOO_ABI_MOVED);
	VALUE(SNOO_ABI_NUMBER);
	VALUE(SNOO_ABI_GONE);
	VALUE(SNOO_ABI_REGISTER_LINES);
	VALUE(SNOO_ABI_WAY_STREAM);
	VALUE(SNOO_ABI_WAY_CMA);
	VALUE(SNOO_ABI_WAY_POOL);
	VALUE(SNOO_ABI_FETCHED);
	VALUE(SNOO_ABI_TRUNCATED);
	VALUE(SNOO_ABI_REFUSED);
	VALUE(SNOO_ABI_CANCELLED);
	VALUE(SNOO_ABI_POOL_NEW);
	VALUE(SNOO_ABI_POOL_LIVE);
	VALUE(SNOO_ABI_POOL_LOST);
	VALUE(SNOO_ABI_UNLIMITED);
	VALUE(SNOO_ABI_ANY);
	VALUE(SNOO_ABI_WAIT_SHIFT);
	VALUE(SNOO_ABI_POLLING);
	VALUE(SNOO_ABI_SUMMARY);
	VALUE(SNOO_ABI_ASLEEP_FUTEX);
	VALUE(SNOO_ABI_ASLEEP_EVENTFD);
	VALUE(SNOO_ABI_BELL_DATA);
	VALUE(SNOO_ABI_BELL_NEWS);
	VALUE(SNOO_ABI_CALL_NONE);
	VALUE(SNOO_ABI_CALL_SEND);
	VALUE(SNOO_ABI_CALL_RECV);
	VALUE(SNOO_ABI_CALL_WAIT);
	VALUE(SNOO_ABI_CALL_PROBE);
	VALUE(SNOO_ABI_CALL_BARRIER);
	VALUE(SNOO_ABI_CALL_INIT);
	VALUE(SNOO_ABI_CALL_FINALIZE);
	VALUE(SNOO_ABI_CALL_LOAN);
	VALUE(SNOO_ABI_CALL_COLLECTIVE);
	VALUE(SNOO_ABI_MEET_FAN);
	VALUE(SNOO_ABI_MEET_DATA);
	VALUE(SNOO_ABI_MEET_BARRIER);
	VALUE(SNOO_ABI_MEET_BCAST);
	VALUE(SNOO_ABI_MEET_REDUCE);
	VALUE(SNOO_ABI_MEET_ALLREDUCE);
	VALUE(SNOO_ABI_MEET_GATHER);
	VALUE(SNOO_ABI_MEET_SCATTER);
	VALUE(SNOO_ABI_MEET_ALLGATHER);
	VALUE(SNOO_ABI_MEET_ALLTOALL);
	VALUE(SNOO_ABI_MEET_SIZES);
	VALUE(SNOO_ABI_MEET_UNLIKE);
	VALUE(SNOO_ABI_DESC_HOME_SHIFT);
	VALUE(SNOO_ABI_DESC_HOME_MASK);
	VALUE(SNOO_ABI_DESC_GEN_SHIFT);
	VALUE(SNOO_ABI_BLOCK_NONE);
	VALUE(SNOO_ABI_BLOCK_FREE);
	VALUE(SNOO_ABI_BLOCK_BUSY);
	VALUE(SNOO_ABI_VACANT);
	VALUE(SNOO_ABI_JOINED);
	VALUE(SNOO_ABI_LEFT);
	VALUE(SNOO_ABI_DEAD);
	VALUE(SNOO_ABI_RING_ANSWERS);
	VALUE(SNOO_ABI_RING_MIN);
	VALUE(SNOO_ABI_RING_MAX);
}

static void counters(void)
{
	for (int i = 0; i < SHM_COUNTERS; i++)
		printf("counter %2d %s %s\n", i, shm_counter_info[i].name,
		       shm_counter_info[i].unit);
}

static void wire_up(void)
{
	SIZE(snoo_wire_head);
	FIELD(snoo_wire_head, type);
	FIELD(snoo_wire_head, length);
	SIZE(snoo_wire_hello);
	FIELD(snoo_wire_hello, head);
	FIELD(snoo_wire_hello, magic);
	FIELD(snoo_wire_hello, major);
	FIELD(snoo_wire_hello, minor);
	FIELD(snoo_wire_hello, launch);
	FIELD(snoo_wire_hello, rank);
	FIELD(snoo_wire_hello, size);
	FIELD(snoo_wire_hello, core);
	FIELD(snoo_wire_hello, pid);
	FIELD(snoo_wire_hello, name);
	FIELD(snoo_wire_hello, mask);
	FIELD(snoo_wire_hello, reserved);
	SIZE(snoo_wire_pinned);
	FIELD(snoo_wire_pinned, head);
	FIELD(snoo_wire_pinned, core);
	FIELD(snoo_wire_pinned, error);
	SIZE(snoo_wire_need);
	FIELD(snoo_wire_need, head);
	FIELD(snoo_wire_need, rings);
	FIELD(snoo_wire_need, large_rings);
	FIELD(snoo_wire_need, small_blocks);
	FIELD(snoo_wire_need, large_blocks);
	SIZE(snoo_wire_ack);
	FIELD(snoo_wire_ack, head);
	FIELD(snoo_wire_ack, gone);
	FIELD(snoo_wire_ack, reserved);
	SIZE(snoo_wire_state);
	FIELD(snoo_wire_state, head);
	FIELD(snoo_wire_state, epoch);
	FIELD(snoo_wire_state, gone);
	FIELD(snoo_wire_state, seen_gone);
	FIELD(snoo_wire_state, spare_rings);
	FIELD(snoo_wire_state, need);
	SIZE(snoo_wire_plain);
	FIELD(snoo_wire_plain, head);
	SIZE(snoo_wire_ring_for);
	FIELD(snoo_wire_ring_for, head);
	FIELD(snoo_wire_ring_for, rank);
	FIELD(snoo_wire_ring_for, reserved);
}

static void wire_reach(void)
{
	SIZE(snoo_abi_stamps);
	FIELD(snoo_abi_stamps, stamp);
	FIELD(snoo_abi_stamps, revoked);
	FIELD(snoo_abi_stamps, life_at);
	FIELD(snoo_abi_stamps, file);
	FIELD(snoo_abi_stamps, owner);
	SIZE(snoo_wire_reach);
	FIELD(snoo_wire_reach, head);
	FIELD(snoo_wire_reach, address);
	FIELD(snoo_wire_reach, nonce);
	SIZE(snoo_wire_where);
	FIELD(snoo_wire_where, head);
	FIELD(snoo_wire_where, rank);
	FIELD(snoo_wire_where, reserved);
	SIZE(snoo_wire_peer);
	FIELD(snoo_wire_peer, head);
	FIELD(snoo_wire_peer, rank);
	FIELD(snoo_wire_peer, pid);
	FIELD(snoo_wire_peer, address);
	FIELD(snoo_wire_peer, nonce);
	VALUE(SNOO_WIRE_REACH);
	VALUE(SNOO_WIRE_WHERE);
	VALUE(SNOO_WIRE_PEER);
}

static void wire_down(void)
{
	SIZE(snoo_wire_welcome);
	FIELD(snoo_wire_welcome, head);
	FIELD(snoo_wire_welcome, major);
	FIELD(snoo_wire_welcome, minor);
	FIELD(snoo_wire_welcome, rank);
	FIELD(snoo_wire_welcome, size);
	FIELD(snoo_wire_welcome, capacity);
	FIELD(snoo_wire_welcome, slot);
	FIELD(snoo_wire_welcome, instance);
	FIELD(snoo_wire_welcome, job);
	FIELD(snoo_wire_welcome, open_job);
	FIELD(snoo_wire_welcome, pool_bytes);
	FIELD(snoo_wire_welcome, job_off);
	FIELD(snoo_wire_welcome, core);
	FIELD(snoo_wire_welcome, node);
	FIELD(snoo_wire_welcome, epoch);
	FIELD(snoo_wire_welcome, gone_epoch);
	FIELD(snoo_wire_welcome, eager_bytes);
	FIELD(snoo_wire_welcome, small_bytes);
	FIELD(snoo_wire_welcome, large_bytes);
	FIELD(snoo_wire_welcome, spin_ns);
	FIELD(snoo_wire_welcome, cores);
	FIELD(snoo_wire_welcome, map_offset);
	FIELD(snoo_wire_welcome, map_skip);
	FIELD(snoo_wire_welcome, wake_ns);
	FIELD(snoo_wire_welcome, yield_ns);
	FIELD(snoo_wire_welcome, hand_ns);
	FIELD(snoo_wire_welcome, spin_fixed);
	FIELD(snoo_wire_welcome, stream_units);
	SIZE(snoo_wire_start);
	FIELD(snoo_wire_start, head);
	FIELD(snoo_wire_start, size);
	FIELD(snoo_wire_start, reserved);
	SIZE(snoo_wire_loan);
	FIELD(snoo_wire_loan, head);
	FIELD(snoo_wire_loan, bytes);
	FIELD(snoo_wire_loan, serial);
	FIELD(snoo_wire_loan, reserved);
	SIZE(snoo_wire_lent);
	FIELD(snoo_wire_lent, head);
	FIELD(snoo_wire_lent, serial);
	FIELD(snoo_wire_lent, error);
	FIELD(snoo_wire_lent, unit);
	FIELD(snoo_wire_lent, generation);
	FIELD(snoo_wire_lent, bytes);
	SIZE(snoo_wire_oncpu);
	FIELD(snoo_wire_oncpu, head);
	FIELD(snoo_wire_oncpu, slots);
	FIELD(snoo_wire_oncpu, stride);
	FIELD(snoo_wire_oncpu, state);
	FIELD(snoo_wire_oncpu, instance);
	FIELD(snoo_wire_oncpu, waits);
	FIELD(snoo_wire_oncpu, reserved);
	SIZE(snoo_wire_registers);
	FIELD(snoo_wire_registers, head);
	FIELD(snoo_wire_registers, flags);
	FIELD(snoo_wire_registers, bytes);
	FIELD(snoo_wire_registers, out);
	FIELD(snoo_wire_registers, in);
	SIZE(snoo_wire_rings);
	FIELD(snoo_wire_rings, head);
	FIELD(snoo_wire_rings, count);
	FIELD(snoo_wire_rings, reserved);
	SIZE(snoo_wire_ring);
	FIELD(snoo_wire_ring, offset);
	FIELD(snoo_wire_ring, bytes);
	FIELD(snoo_wire_ring, nlines);
	SIZE(snoo_wire_grant);
	FIELD(snoo_wire_grant, head);
	FIELD(snoo_wire_grant, count);
	FIELD(snoo_wire_grant, reserved);
	SIZE(snoo_wire_block);
	FIELD(snoo_wire_block, unit);
	FIELD(snoo_wire_block, bytes);
	FIELD(snoo_wire_block, generation);
	FIELD(snoo_wire_block, reserved);
	SIZE(snoo_wire_gone);
	FIELD(snoo_wire_gone, head);
	FIELD(snoo_wire_gone, rank);
	FIELD(snoo_wire_gone, state);
	FIELD(snoo_wire_gone, gone);
	FIELD(snoo_wire_gone, slot);
	SIZE(snoo_wire_bells);
	FIELD(snoo_wire_bells, head);
	FIELD(snoo_wire_bells, flags);
	FIELD(snoo_wire_bells, listen);
	FIELD(snoo_wire_bells, count);
	FIELD(snoo_wire_bells, reserved);
	SIZE(snoo_wire_bell);
	FIELD(snoo_wire_bell, rank);
	FIELD(snoo_wire_bell, fd);
	SIZE(snoo_wire_resumed);
	FIELD(snoo_wire_resumed, head);
	FIELD(snoo_wire_resumed, epoch);
	FIELD(snoo_wire_resumed, reserved);
	SIZE(snoo_wire_error);
	FIELD(snoo_wire_error, head);
	FIELD(snoo_wire_error, error);
	FIELD(snoo_wire_error, reserved);
	FIELD(snoo_wire_error, text);
}

static void wire_programs(void)
{
	SIZE(snoo_wire_run);
	FIELD(snoo_wire_run, head);
	FIELD(snoo_wire_run, magic);
	FIELD(snoo_wire_run, major);
	FIELD(snoo_wire_run, minor);
	FIELD(snoo_wire_run, argc);
	FIELD(snoo_wire_run, envc);
	FIELD(snoo_wire_run, bytes);
	FIELD(snoo_wire_run, reserved0);
	FIELD(snoo_wire_run, vm);
	FIELD(snoo_wire_run, reserved);
	SIZE(snoo_wire_started);
	FIELD(snoo_wire_started, head);
	FIELD(snoo_wire_started, pid);
	FIELD(snoo_wire_started, uid);
	SIZE(snoo_wire_finished);
	FIELD(snoo_wire_finished, head);
	FIELD(snoo_wire_finished, error);
	FIELD(snoo_wire_finished, status);
	FIELD(snoo_wire_finished, text);
	SIZE(snoo_wire_signal);
	FIELD(snoo_wire_signal, head);
	FIELD(snoo_wire_signal, signal);
	FIELD(snoo_wire_signal, reserved);
	SIZE(snoo_wire_data);
	FIELD(snoo_wire_data, head);
	FIELD(snoo_wire_data, stream);
	FIELD(snoo_wire_data, bytes);
	SIZE(snoo_wire_credit);
	FIELD(snoo_wire_credit, head);
	FIELD(snoo_wire_credit, stream);
	FIELD(snoo_wire_credit, bytes);
	VALUE(SNOO_WIRE_RUN);
	VALUE(SNOO_WIRE_SIGNAL);
	VALUE(SNOO_WIRE_STARTED);
	VALUE(SNOO_WIRE_FINISHED);
	VALUE(SNOO_WIRE_DATA);
	VALUE(SNOO_WIRE_CREDIT);
	VALUE(SNOO_WIRE_CREDIT_MAX);
	VALUE(SNOO_WIRE_DATA_MAX);
	VALUE(SNOO_WIRE_WORDS_MAX);
	VALUE(SNOO_WIRE_WORDS);
}

static void wire_values(void)
{
	VALUE(SNOO_WIRE_MAGIC);
	VALUE(SNOO_WIRE_MAJOR);
	VALUE(SNOO_WIRE_MINOR);
	VALUE(SNOO_WIRE_MAX);
	VALUE(SNOO_WIRE_NAME);
	VALUE(SNOO_WIRE_CPUS);
	VALUE(SNOO_WIRE_TEXT);
	VALUE(SNOO_WIRE_LIST);
	VALUE(SNOO_WIRE_HELLO);
	VALUE(SNOO_WIRE_PINNED);
	VALUE(SNOO_WIRE_NEED);
	VALUE(SNOO_WIRE_ACK);
	VALUE(SNOO_WIRE_STATE);
	VALUE(SNOO_WIRE_LEAVE);
	VALUE(SNOO_WIRE_RING);
	VALUE(SNOO_WIRE_WELCOME);
	VALUE(SNOO_WIRE_START);
	VALUE(SNOO_WIRE_RINGS);
	VALUE(SNOO_WIRE_GRANT);
	VALUE(SNOO_WIRE_GONE);
	VALUE(SNOO_WIRE_RESUMED);
	VALUE(SNOO_WIRE_BYE);
	VALUE(SNOO_WIRE_ERROR);
	VALUE(SNOO_WIRE_BELLS);
	VALUE(SNOO_WIRE_BELLS_ALL);
	VALUE(SNOO_WIRE_BELLS_POLL);
	VALUE(SNOO_WIRE_LOOK);
	VALUE(SNOO_WIRE_LOAN);
	VALUE(SNOO_WIRE_LENT);
	VALUE(SNOO_WIRE_ONCPU);
	VALUE(SNOO_WIRE_ONCPU_UNKNOWN);
	VALUE(SNOO_WIRE_ONCPU_RUNS);
	VALUE(SNOO_WIRE_ONCPU_WANTS);
	VALUE(SNOO_WIRE_ONCPU_SLEEPS);
	VALUE(SNOO_WIRE_REGISTERS);
	VALUE(SNOO_WIRE_REGISTERS_ON);
	VALUE(SNOO_WIRE_GONE_REGISTERS);
	VALUE(SNOO_WIRE_FDS);
}

static void control_values(void)
{
	VALUE(SNOO_CTL_MAGIC);
	VALUE(SNOO_CTL_MAJOR);
	VALUE(SNOO_CTL_MINOR);
	VALUE(SNOO_CTL_BYTES);
	VALUE(SNOO_CTL_H2G);
	VALUE(SNOO_CTL_G2H);
	VALUE(SNOO_CTL_RING);
	VALUE(SNOO_CTL_VECTORS);
	VALUE(SNOO_CTL_FRAME_MAX);
	VALUE(SNOO_CTL_DATA_MAX);
	VALUE(SNOO_CTL_NAME);
	VALUE(SNOO_CTL_TEXT);
	VALUE(SNOO_CTL_PEERS);
	VALUE(SNOO_CTL_FULL);
	VALUE(SNOO_CTL_CREDIT_MAX);
	VALUE(SNOO_CTL_SIGNALS_MAX);
	VALUE(SNOO_CTL_WORDS_MAX);
	VALUE(SNOO_CTL_RUNS_MAX);
	VALUE(SNOO_CTL_NEW);
	VALUE(SNOO_CTL_LIVE);
	VALUE(SNOO_CTL_CUT);
	VALUE(SNOO_CTL_HELLO);
	VALUE(SNOO_CTL_KNOWN);
	VALUE(SNOO_CTL_READY);
	VALUE(SNOO_CTL_JOIN);
	VALUE(SNOO_CTL_CLOSED);
	VALUE(SNOO_CTL_EXITED);
	VALUE(SNOO_CTL_RING_FOR);
	VALUE(SNOO_CTL_STARTED);
	VALUE(SNOO_CTL_FINISHED);
	VALUE(SNOO_CTL_WELCOME);
	VALUE(SNOO_CTL_ERROR);
	VALUE(SNOO_CTL_END);
	VALUE(SNOO_CTL_BELLS);
	VALUE(SNOO_CTL_RUN);
	VALUE(SNOO_CTL_SIGNAL);
	VALUE(SNOO_CTL_RUNS);
	VALUE(SNOO_CTL_MSG);
	VALUE(SNOO_CTL_DATA);
	VALUE(SNOO_CTL_CREDIT);
	VALUE(SNOO_CTL_BELLS_EVENTFD);
	VALUE(SNOO_CTL_BELLS_POLL);
	VALUE(SNOO_CTL_MAP_DAX);
	VALUE(SNOO_CTL_MAP_BAR);
	VALUE(SNOO_CTL_MAP_SYSFS);
	VALUE(SNOO_CTL_MAP_MEMFD);
	VALUE(SNOO_CTL_IN);
	VALUE(SNOO_CTL_OUT);
	VALUE(SNOO_CTL_ERR);
	VALUE(SNOO_CTL_SIGNALS);
}

static void control(void)
{
	SIZE(snoo_ctl_end);
	FIELD(snoo_ctl_end, gen);
	FIELD(snoo_ctl_end, state);
	FIELD(snoo_ctl_end, tail);
	FIELD(snoo_ctl_end, head);
	FIELD(snoo_ctl_end, start);
	FIELD(snoo_ctl_end, full);
	FIELD(snoo_ctl_end, reserved);
	SIZE(snoo_ctl_memory);
	FIELD(snoo_ctl_memory, magic);
	FIELD(snoo_ctl_memory, major);
	FIELD(snoo_ctl_memory, minor);
	FIELD(snoo_ctl_memory, bytes);
	FIELD(snoo_ctl_memory, reserved);
	FIELD(snoo_ctl_memory, host);
	FIELD(snoo_ctl_memory, guest);
	SIZE(snoo_ctl_frame);
	FIELD(snoo_ctl_frame, length);
	FIELD(snoo_ctl_frame, type);
	FIELD(snoo_ctl_frame, sid);
	FIELD(snoo_ctl_frame, slot);
	SIZE(snoo_ctl_hello);
	FIELD(snoo_ctl_hello, frame);
	FIELD(snoo_ctl_hello, major);
	FIELD(snoo_ctl_hello, minor);
	FIELD(snoo_ctl_hello, abi_major);
	FIELD(snoo_ctl_hello, wire_minor);
	FIELD(snoo_ctl_hello, boot_id);
	FIELD(snoo_ctl_hello, slot);
	FIELD(snoo_ctl_hello, vectors);
	FIELD(snoo_ctl_hello, pool_bytes);
	FIELD(snoo_ctl_hello, bells);
	FIELD(snoo_ctl_hello, memory);
	FIELD(snoo_ctl_hello, vcpus);
	FIELD(snoo_ctl_hello, runs);
	FIELD(snoo_ctl_hello, clock_ns);
	FIELD(snoo_ctl_hello, host);
	FIELD(snoo_ctl_hello, kernel);
	FIELD(snoo_ctl_hello, reserved);
	SIZE(snoo_ctl_welcome);
	FIELD(snoo_ctl_welcome, frame);
	FIELD(snoo_ctl_welcome, major);
	FIELD(snoo_ctl_welcome, minor);
	FIELD(snoo_ctl_welcome, slot);
	FIELD(snoo_ctl_welcome, slots);
	FIELD(snoo_ctl_welcome, vectors);
	FIELD(snoo_ctl_welcome, ranks);
	FIELD(snoo_ctl_welcome, pool_bytes);
	FIELD(snoo_ctl_welcome, domain);
	FIELD(snoo_ctl_welcome, name);
	FIELD(snoo_ctl_welcome, reserved);
	SIZE(snoo_ctl_error);
	FIELD(snoo_ctl_error, frame);
	FIELD(snoo_ctl_error, error);
	FIELD(snoo_ctl_error, reserved);
	FIELD(snoo_ctl_error, text);
	SIZE(snoo_ctl_join);
	FIELD(snoo_ctl_join, frame);
	FIELD(snoo_ctl_join, uid);
	FIELD(snoo_ctl_join, gid);
	FIELD(snoo_ctl_join, pid);
	FIELD(snoo_ctl_join, vcpu);
	SIZE(snoo_ctl_ring);
	FIELD(snoo_ctl_ring, frame);
	FIELD(snoo_ctl_ring, rank);
	FIELD(snoo_ctl_ring, reserved);
	SIZE(snoo_ctl_bells);
	FIELD(snoo_ctl_bells, frame);
	FIELD(snoo_ctl_bells, flags);
	FIELD(snoo_ctl_bells, vector);
	FIELD(snoo_ctl_bells, count);
	FIELD(snoo_ctl_bells, reserved);
	SIZE(snoo_ctl_run);
	FIELD(snoo_ctl_run, frame);
	FIELD(snoo_ctl_run, uid);
	FIELD(snoo_ctl_run, argc);
	FIELD(snoo_ctl_run, envc);
	FIELD(snoo_ctl_run, bytes);
	SIZE(snoo_ctl_run_pid);
	FIELD(snoo_ctl_run_pid, frame);
	FIELD(snoo_ctl_run_pid, pid);
	FIELD(snoo_ctl_run_pid, uid);
	SIZE(snoo_ctl_run_end);
	FIELD(snoo_ctl_run_end, frame);
	FIELD(snoo_ctl_run_end, error);
	FIELD(snoo_ctl_run_end, status);
	FIELD(snoo_ctl_run_end, text);
	SIZE(snoo_ctl_signal);
	FIELD(snoo_ctl_signal, frame);
	FIELD(snoo_ctl_signal, signal);
	FIELD(snoo_ctl_signal, number);
	SIZE(snoo_ctl_data);
	FIELD(snoo_ctl_data, frame);
	FIELD(snoo_ctl_data, stream);
	FIELD(snoo_ctl_data, bytes);
	FIELD(snoo_ctl_data, offset);
	FIELD(snoo_ctl_data, reserved);
	SIZE(snoo_ctl_credit);
	FIELD(snoo_ctl_credit, frame);
	FIELD(snoo_ctl_credit, stream);
	FIELD(snoo_ctl_credit, total);
	SIZE(snoo_ctl_runs);
	FIELD(snoo_ctl_runs, frame);
	FIELD(snoo_ctl_runs, count);
	FIELD(snoo_ctl_runs, reserved);
}

int main(void)
{
	abi_values();
	pool();
	rank();
	arena();
	registers();
	counters();
	wire_values();
	wire_up();
	wire_reach();
	wire_down();
	wire_programs();
	control_values();
	control();
	return ferror(stdout) != 0;
}
