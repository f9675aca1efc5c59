/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the sentences that the settings' parsers say, and how they show text.
 * Owner: the array owns its messages.
 * Threads: none of its own; one array belongs to one caller.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

/* More than this a reader does not read, and hostile input does not get. */
#define PYRO_SETTINGS_MAX_MESSAGES 48

/* Adds one sentence. MESSAGES may be NULL. */
void pyro_settings_say (GPtrArray *messages, PyroMessageLevel level,
                        const gchar *format, ...) G_GNUC_PRINTF (3, 4);

/* TEXT in double quotes, fit for a log: valid UTF-8, control characters
 * escaped, cut where it is long (with its length). Transfer full. */
gchar *pyro_settings_quote (const gchar *text);

G_END_DECLS
