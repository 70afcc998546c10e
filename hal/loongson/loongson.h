/* SPDX-License-Identifier: MIT */
/*
 * loongson.h - the hardware back end, on this machine or a test's
 */
#ifndef HAL_LOONGSON_LOONGSON_H
#define HAL_LOONGSON_LOONGSON_H

#include "hal/hal.h"
#include "hal/loongson/machine.h"

/* The back end's probe() and open(), on another machine than this one. */
int loongson_probe_on(const struct loongson_sys *sys, char why[HAL_TEXT]);
int loongson_open_on(struct hal **out, const struct hal_params *p,
		     const struct loongson_sys *sys);

#endif /* HAL_LOONGSON_LOONGSON_H */
