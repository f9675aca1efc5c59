/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: libraries whose threads work for whoever in the process calls them, so
 * that the element that made a thread says little: a team.
 * Owner: a constant table.
 * Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A team's number is never 0, and fits a label word (PYRO_LABEL_TEAM_BITS). */

/* The team that a library of this name is; 0: none. */
guint pyro_teams_find (const gchar *library);

/* Plugins that link a library of this name use TEAM. */
gboolean pyro_teams_is_way_to (guint team, const gchar *library);

G_END_DECLS
