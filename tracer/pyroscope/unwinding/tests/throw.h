/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: C++ exceptions, for tests of signals that land in a throw.
 * Owner: nothing is owned.
 * Threads: any.
 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Throws through DEPTH handlers that throw again. Returns how many destructors
 * ran: DEPTH + 1. */
unsigned pyro_test_throw (unsigned depth);

#ifdef __cplusplus
}
#endif
