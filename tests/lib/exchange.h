/* SPDX-License-Identifier: MIT */
/* exchange.h - ranks in threads: messages of all sizes, all pairs, barriers */
#ifndef TESTS_LIB_EXCHANGE_H
#define TESTS_LIB_EXCHANGE_H

#include <stdbool.h>

#include "tests/lib/world.h"

/**
 * exchange_run() - Each rank of @w in a thread of its own, for @rounds rounds
 *
 * Return: true: every byte was right and no bell was missed
 */
bool exchange_run(struct world *w, uint32_t rounds);

#endif /* TESTS_LIB_EXCHANGE_H */
