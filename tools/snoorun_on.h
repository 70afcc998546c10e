/* SPDX-License-Identifier: MIT */
/*
 * snoorun_on.h - which rank runs where: --on host:1,vm-a:2
 */
#ifndef TOOLS_SNOORUN_ON_H
#define TOOLS_SNOORUN_ON_H

#include "tools/snoorun_common.h"

/**
 * on_parse() - Fill in o->on and o->n from the option's value
 *
 * Return: 0, or -EINVAL, told on stderr
 */
int on_parse(struct snoorun_opts *o, const char *text);
void on_free(struct snoorun_opts *o);

/* The VM that rank @i runs in; NULL: the host. */
const char *on_vm(const struct snoorun_opts *o, unsigned int i);

/* Does any rank run in a VM? */
bool on_any_vm(const struct snoorun_opts *o);

#endif
