/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: what is printed in the formats of other programs.
 * Owner: all is borrowed.
 * Threads: main only; standard output.
 */
#pragma once

#include "selection.h"

G_BEGIN_DECLS

/* Folded stacks; ROOTS: keys of labels, NULL-terminated, or NULL. */
void
pyro_print_folded (const PyroSelection *selection, const gchar *const *roots);

/* All of a profile, as dump --format json. */
void pyro_print_profile_json (const PyroProfile *profile);

/* https://www.speedscope.app/file-format-schema.json; BY: the key of a label,
 * one profile for each of its values, or NULL. */
void pyro_print_speedscope (const PyroSelection *selection, const gchar *by);

G_END_DECLS
