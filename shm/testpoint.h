/* SPDX-License-Identifier: MIT */
/*
 * testpoint.h - names a step that a peer can see; empty outside test builds
 *
 * With -DSNOO_TESTPOINTS a process whose environment has
 * SNOO_TESTPOINT=name[:n] kills itself with SIGKILL at the n-th passage (the
 * first without :n) of SNOO_TESTPOINT("name"): the crash tests stop a program
 * exactly between two stores.  With SNOO_TESTPOINT_ONCE=path it dies only if
 * it is the one who removes that file, so that a program that is started again
 * in the same environment lives on.
 */
#ifndef SHM_TESTPOINT_H
#define SHM_TESTPOINT_H

#ifdef SNOO_TESTPOINTS
void shm_testpoint(const char *name);
#define SNOO_TESTPOINT(name)	shm_testpoint(name)
#else
#define SNOO_TESTPOINT(name)	((void)0)
#endif

#endif /* SHM_TESTPOINT_H */
