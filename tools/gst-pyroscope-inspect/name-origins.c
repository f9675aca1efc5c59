/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "name-origins.h"

#include <string.h>

#include "profile/saturated.h"

/* Whether TEXT is "library!0xoffset". */
static gboolean
is_place (const gchar *text)
{
  const gchar *offset = strrchr (text, '!');

  if (offset == NULL || !g_str_has_prefix (offset, "!0x") || offset[3] == '\0')
    return FALSE;
  for (offset += 3; *offset != '\0'; offset++) {
    if (!g_ascii_isxdigit (*offset))
      return FALSE;
  }
  return TRUE;
}

PyroOrigin
pyro_name_origin (const PyroLocation *location)
{
  const PyroFunction *function;

  if (location->n_lines == 0)
    return PYRO_ORIGIN_NONE;
  function = location->lines[location->n_lines - 1].function;
  if (is_place (function->name)
      || (*function->name == '\0' && *function->system_name == '\0'))
    return PYRO_ORIGIN_NONE;
  return is_place (function->system_name) ? PYRO_ORIGIN_STATEMENTS
                                          : PYRO_ORIGIN_SYMBOLS;
}

PyroNameOrigins
pyro_name_origins_count (const PyroProfile *profile, guint type)
{
  PyroNameOrigins origins = { 0 };

  for (gsize i = 0; i < profile->n_samples; i++) {
    const PyroSample *sample = &profile->samples[i];
    const gint64 value = sample->values[type];

    for (gsize j = 0; j < sample->n_locations; j++) {
      const PyroLocation *location = sample->locations[j];
      gint64 *sum;

      if (location->mapping == NULL)
        continue;
      sum = &origins.values[pyro_name_origin (location)];
      *sum = pyro_saturated_add (*sum, value);
      origins.total = pyro_saturated_add (origins.total, value);
    }
  }
  return origins;
}
