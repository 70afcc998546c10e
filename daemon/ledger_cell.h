/* SPDX-License-Identifier: MIT */
/*
 * ledger_cell.h - a record that a kill leaves old or new, never between
 *
 * Two copies {seq, sum, payload}, drawn in ledger.h.  A payload is a multiple
 * of 8 bytes, a cell lies on a multiple of 8.  One thread, one process at a
 * time.
 */
#ifndef DAEMON_LEDGER_CELL_H
#define DAEMON_LEDGER_CELL_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a cell for @payload bytes. */
size_t ledger_cell_bytes(size_t payload);

/* A fresh cell: both copies hold @in. */
void ledger_cell_init(void *cell, const void *in, size_t payload);

/**
 * ledger_cell_check() - Is the cell as a put, or a killed put, leaves it?
 *
 * Return: 0, or -EBADMSG: damaged
 */
int ledger_cell_check(const void *cell, size_t payload);

/* The newer copy, and a new one in place of the older; only on a cell that
 * passes ledger_cell_check(). */
void ledger_cell_get(const void *cell, void *out, size_t payload);
void ledger_cell_put(void *cell, const void *in, size_t payload);

/* A sum over @bytes (a multiple of 8); any change of one word shows. */
uint64_t ledger_cell_sum(uint64_t seed, const void *data, size_t bytes);

/* CRC-8 of the upper seven bytes of a map word and of its place: up to three
 * flipped bits show, and so does a word that got to another place. */
uint64_t ledger_cell_crc(uint64_t word, uint32_t unit);

#endif
