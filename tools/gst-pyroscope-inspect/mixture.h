/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: whether the files that are read are of several services, hosts or
 * processes, and one line that says so.
 * Owner: the mixture copies what it keeps.
 * Threads: main only.
 */
#pragma once

#include "profile/profile.h"

G_BEGIN_DECLS

typedef struct {
  GHashTable **values; /* for each kind, a set of texts */
} PyroMixture;

void pyro_mixture_init (PyroMixture *mixture);
void pyro_mixture_clear (PyroMixture *mixture);
void pyro_mixture_add (PyroMixture *mixture, const PyroProfile *profile);

/* On standard error, if it is a mixture. CHOSEN: keys of labels that are shown
 * apart or filtered by (gchar *), of which nothing needs to be said. */
void pyro_mixture_report (const PyroMixture *mixture, const GPtrArray *chosen);

G_END_DECLS
