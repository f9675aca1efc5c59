/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what a fuzzed parser gives: its entry, as libFuzzer calls it, and
 *   inputs to begin with.
 * Owner: inputs are copied by whoever takes them.
 * Threads: one.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Aborts where reading DATA breaks a promise. Returns 0. The name and the
 * types are libFuzzer's (AFL++ knows them, too). */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef void (*PyroFuzzTake) (gpointer user_data, gconstpointer data,
                              gsize size);

/* Hands inputs that the parser understands to TAKE; parsers of files have none
 * of their own. */
void pyro_fuzz_give_seeds (PyroFuzzTake take, gpointer user_data);
