/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the fuzzers' way in: one input through all that reads profiles.
 * Owner: the data is borrowed.
 * Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Aborts where reading DATA breaks a promise. Returns 0. The name and the
 * types are libFuzzer's (AFL++ knows them, too). */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
