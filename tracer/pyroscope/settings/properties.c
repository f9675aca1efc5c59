/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/table.h"
#include "settings/value.h"

GType
pyro_profile_flags_get_type (void)
{
  static const GFlagsValue values[] = {
    { PYRO_PROFILE_CPU, "CPU time of every thread", "cpu" },
    { 0, NULL, NULL },
  };
  static gsize gtype = 0;

  if (g_once_init_enter (&gtype))
    g_once_init_leave (&gtype,
                       g_flags_register_static ("PyroProfileFlags", values));
  return gtype;
}

GType
pyro_label_flags_get_type (void)
{
  static const GFlagsValue values[] = {
    { PYRO_LABEL_PIPELINE, "The pipeline's name", "pipeline" },
    { PYRO_LABEL_PATH, "The bins that the element is in", "path" },
    { PYRO_LABEL_ELEMENT, "The element's name", "element" },
    { PYRO_LABEL_FACTORY, "The element's factory", "factory" },
    { PYRO_LABEL_THREAD, "The thread's name", "thread" },
    { PYRO_LABEL_ATTRIBUTION, "How the element was found", "attribution" },
    { 0, NULL, NULL },
  };
  static gsize gtype = 0;

  if (g_once_init_enter (&gtype))
    g_once_init_leave (&gtype,
                       g_flags_register_static ("PyroLabelFlags", values));
  return gtype;
}

GType
pyro_unwinder_kind_get_type (void)
{
  static const GEnumValue values[] = {
    { PYRO_UNWINDER_AUTO, "The best there is", "auto" },
    { PYRO_UNWINDER_TABLES, "Tables compiled from call frame information",
      "tables" },
    { PYRO_UNWINDER_LIBUNWIND, "libunwind, for comparison", "libunwind" },
    { PYRO_UNWINDER_FRAME_POINTERS,
      "Frame pointers, for code that is built with them", "frame-pointers" },
    { 0, NULL, NULL },
  };
  static gsize gtype = 0;

  if (g_once_init_enter (&gtype))
    g_once_init_leave (&gtype,
                       g_enum_register_static ("PyroUnwinderKind", values));
  return gtype;
}

GType
pyro_symbols_kind_get_type (void)
{
  static const GEnumValue values[] = {
    { PYRO_SYMBOLS_LOCAL, "From the files on this machine", "local" },
    { PYRO_SYMBOLS_SERVER,
      "Only of what has no build id; the server knows the rest", "server" },
    { PYRO_SYMBOLS_NONE, "No names, addresses alone", "none" },
    { 0, NULL, NULL },
  };
  static gsize gtype = 0;

  if (g_once_init_enter (&gtype))
    g_once_init_leave (&gtype,
                       g_enum_register_static ("PyroSymbolsKind", values));
  return gtype;
}

/* "sample-rate" → "Sample rate". Transfer full. */
static gchar *
make_nick (const gchar *name)
{
  gchar *nick = g_strdelimit (g_strdup (name), "-", ' ');

  *nick = g_ascii_toupper (*nick);
  return nick;
}

static GParamSpec *
make_property (const PyroSetting *setting)
{
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_NAME | G_PARAM_STATIC_BLURB;
  g_autofree gchar *nick = make_nick (setting->name);
  g_autofree gchar *why = NULL;
  PyroSettingValue value = { 0 };

  /* A text's default may depend on the process; it is empty, or stands as it
   * is in the table. */
  if (setting->type != PYRO_SETTING_STRING
      && setting->type != PYRO_SETTING_PAIRS)
    pyro_setting_parse (setting, setting->fallback, "the default", &value, &why,
                        NULL);
  g_assert (why == NULL);

  switch (setting->type) {
  case PYRO_SETTING_UINT:
  case PYRO_SETTING_SECONDS:
    return g_param_spec_uint (setting->name, nick, setting->help, setting->min,
                              setting->max, value.number, flags);
  case PYRO_SETTING_BOOL:
    return g_param_spec_boolean (setting->name, nick, setting->help,
                                 value.number, flags);
  case PYRO_SETTING_FLAGS:
    return g_param_spec_flags (setting->name, nick, setting->help,
                               setting->gtype (), value.number, flags);
  case PYRO_SETTING_ENUM:
    return g_param_spec_enum (setting->name, nick, setting->help,
                              setting->gtype (), value.number, flags);
  case PYRO_SETTING_STRING:
  case PYRO_SETTING_PAIRS:
    break;
  }
  return g_param_spec_string (setting->name, nick, setting->help,
                              setting->secret ? NULL : setting->fallback,
                              flags);
}

void
pyro_settings_install_properties (GObjectClass *klass, guint first_id)
{
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  for (guint i = 0; i < n_settings; i++)
    g_object_class_install_property (klass, first_id + i,
                                     make_property (&table[i]));
}
