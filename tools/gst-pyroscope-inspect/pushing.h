/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: sends profiles of files to a server, by the tracer's own sender.
 * Owner: a pushing owns what it was given and its thread.
 * Threads: main only; the sender has one of its own.
 */
#pragma once

#include "profile/profile.h"
#include "settings.h"

G_BEGIN_DECLS

typedef struct _PyroPushing PyroPushing;

typedef struct {
  guint64 profiles;   /* that were to be sent */
  guint64 taken;      /* of these: all of each */
  guint64 refused;    /* for good, by the server */
  guint64 not_sent;   /* the server could not be reached, or did not answer */
  guint64 split;      /* sent in parts */
  guint64 sent_again; /* requests that repeated an earlier one */
  guint64 bytes;      /* of the requests that were taken */
} PyroPushingStats;

/* PATIENCE: seconds for which a server that takes nothing is tried. OVERRIDES:
 * labels (PyroLabel) that replace a profile's own. NULL with an error where
 * SETTINGS name no server. SETTINGS are borrowed. */
PyroPushing *
pyro_pushing_new (const PyroSettings *settings, const GArray *overrides,
                  guint patience, GError **error);

/* PPROF is the file PATH, unpacked, PROFILE what is in it. Waits while much
 * waits for the server. FALSE with an error: it cannot be sent. */
gboolean
pyro_pushing_add (PyroPushing *pushing, const gchar *path,
                  const PyroProfile *profile, GBytes *pprof, GError **error);

/* It is not worth reading on: the server is not there, or would refuse all. */
gboolean pyro_pushing_is_over (PyroPushing *pushing);

/* Waits until all is sent, or MS milliseconds. TRUE: there is no more. Refused
 * profiles and outages are reported as they come. */
gboolean pyro_pushing_wait (PyroPushing *pushing, guint ms);

void pyro_pushing_get_stats (PyroPushing *pushing, PyroPushingStats *stats);

/* What is left is sent, within the patience; the last numbers. */
void pyro_pushing_finish (PyroPushing *pushing, PyroPushingStats *stats);

/* The server's address, without secrets. */
const gchar *pyro_pushing_get_address (const PyroPushing *pushing);

G_END_DECLS
