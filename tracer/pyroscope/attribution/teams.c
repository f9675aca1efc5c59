/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "teams.h"

/* Names as they begin, or, with a '*' first, as they end. */
static const struct {
  const gchar *library;
  const gchar *used_through; /* NULL: the library itself */
} teams[] = {
  { "libgomp.so", NULL },
  { "libomp.so", NULL },
  { "libiomp5.so", NULL },
  { "libtbb.so", NULL },
  { "libopenblas", NULL },
  { "libopencv_core.so", NULL },
  { "libonnxruntime.so", NULL },
  /* One main loop for all elements of the process. */
  { "libpulsecommon-", "libpulse.so" },
  { "libusrsctp.so", NULL },
  { "libgstsctp.so", NULL }, /* with usrsctp in it */
  { "libgstthreadshare.so", NULL },
  { "libgstgl-1.0.so", NULL },
  /* Mesa's drivers, which nobody links. */
  { "libgallium-", "libgstgl-1.0.so" },
  { "*_dri.so", "libgstgl-1.0.so" },
};

static gboolean
matches (const gchar *pattern, const gchar *name)
{
  return pattern[0] == '*' ? g_str_has_suffix (name, pattern + 1)
                           : g_str_has_prefix (name, pattern);
}

guint
pyro_teams_find (const gchar *library)
{
  for (guint i = 0; i < G_N_ELEMENTS (teams); i++)
    if (matches (teams[i].library, library))
      return i + 1;
  return 0;
}

gboolean
pyro_teams_is_way_to (guint team, const gchar *library)
{
  const gchar *way = teams[team - 1].used_through;

  return matches (way != NULL ? way : teams[team - 1].library, library);
}
