/* SPDX-License-Identifier: MIT */
/* counters.c - names and meanings of the counters */

#include "shm/counters.h"

const struct shm_counter_info shm_counter_info[SHM_COUNTERS] = {
#define COUNTER(name, unit, meaning) { #name, #unit, meaning },
#include "shm/counters.def"
#undef COUNTER
};
