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

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef void (*PyroFuzzTake) (gpointer user_data, gconstpointer data,
                              gsize size);

/* Hands inputs that the parser understands to TAKE. FILES are the command
 * line's, for parsers of files. */
void
pyro_fuzz_give_seeds (PyroFuzzTake take, gpointer user_data, gchar **files);
