/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frame.h"

const gchar *
pyro_frame_function_name (const PyroFunction *function)
{
  if (*function->name != '\0')
    return function->name;
  return *function->system_name != '\0' ? function->system_name : "(unknown)";
}

gchar *
pyro_frame_address_name (const PyroLocation *location)
{
  g_autofree gchar *file = NULL;

  if (location->mapping == NULL || *location->mapping->filename == '\0')
    return g_strdup_printf ("0x%" G_GINT64_MODIFIER "x", location->address);
  file = g_path_get_basename (location->mapping->filename);
  return g_strdup_printf ("%s!0x%" G_GINT64_MODIFIER "x", file,
                          location->address);
}

const gchar *
pyro_frame_mapping_name (const PyroLocation *location)
{
  if (location->mapping == NULL)
    return "(none)";
  return *location->mapping->filename != '\0' ? location->mapping->filename
                                              : "(unknown)";
}
