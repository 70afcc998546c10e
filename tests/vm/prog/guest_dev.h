/* SPDX-License-Identifier: MIT */
/*
 * guest_dev.h - what guest_dev and its host say to each other in the pool
 *
 * When vector v of slot 0 is rung, the host copies the word at ECHO_FROM to
 * ECHO_TO, counts in the word at COUNT + 8 v, and rings vector v of the guest.
 * When the control device's bell is rung, it rings back.
 */
#ifndef TESTS_VM_GUEST_DEV_H
#define TESTS_VM_GUEST_DEV_H

#include <stdint.h>

#define ECHO_FROM	UINT64_C(0x300000)
#define ECHO_TO		UINT64_C(0x300008)
#define COUNT		UINT64_C(0x300100)

#endif /* TESTS_VM_GUEST_DEV_H */
