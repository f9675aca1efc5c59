/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one run of the compiler on hostile bytes.
 * Owner: nothing is owned.
 * Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry. The first four bytes choose the input's other parameters,
 * the rest is the section. Aborts if the table is not what it has to be. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
