/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the one table of settings; properties, parser, environment and manual
 * are made from it, so a new setting is one row here and one struct field.
 * Owner: static, constant.
 * Threads: any.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_SETTING_STRING,
  PYRO_SETTING_UINT,
  PYRO_SETTING_SECONDS, /* whole seconds; a Go duration ("1m30s") will do */
  PYRO_SETTING_BOOL,
  PYRO_SETTING_FLAGS, /* a list of nicks */
  PYRO_SETTING_ENUM,  /* one nick */
  PYRO_SETTING_PAIRS, /* k=v,k=v */
} PyroSettingType;

/* Checks and normalizes a string setting. *TEXT may be replaced (freed and
 * set); *NOTE set if the user should hear of it. FALSE: the value is wrong and
 * *WHY is set to "is ...", the end of a sentence that names the value. */
typedef gboolean (*PyroSettingCheck) (gchar **text, gchar **note, gchar **why);

typedef struct {
  const gchar *name;
  PyroSettingType type;
  gsize offset;          /* of the field in PyroSettings */
  gsize list_offset;     /* of the GArray, PYRO_SETTING_PAIRS only */
  const gchar *fallback; /* the default, as one would write it */
  const gchar *alias;    /* what the agents' PYROSCOPE_ name ends in, or NULL */
  gboolean secret;       /* never in a message, and not readable */
  guint min, max;        /* UINT and SECONDS; FLAGS: at least MIN nicks */
  const gchar *unit;     /* UINT */
  GType (*gtype) (void); /* FLAGS and ENUM */
  PyroSettingCheck check; /* STRING */
  const gchar *allowed;   /* STRING and PAIRS: the form, in words */
  const gchar *help;      /* ends in a full stop */
} PyroSetting;

const PyroSetting *pyro_setting_table (guint *n_settings);

/* The setting called NAME ('_' counts as '-', as in GObject), or NULL. */
const PyroSetting *pyro_setting_find (const gchar *name);

/* The setting that NAME may have been meant for, or NULL where it is like
 * none. *IS_MISSPELLING (may be NULL): NAME is within a slip or two of it (a
 * Damerau-Levenshtein distance of 1, or of 2 where the setting's name has 8
 * letters or more), and not just reminiscent of it. */
const PyroSetting *
pyro_setting_nearest (const gchar *name, gboolean *is_misspelling);

/* All names, comma separated. Transfer full. */
gchar *pyro_setting_names (void);

/* The environment names GST_PYROSCOPE_... (transfer full) and PYROSCOPE_...
 * (transfer full, NULL where the agents have none). */
gchar *pyro_setting_environment_name (const PyroSetting *setting);
gchar *pyro_setting_agent_name (const PyroSetting *setting);

/* The I-th choice of a FLAGS or ENUM setting; its strings are static. FALSE:
 * there are fewer. */
typedef struct {
  guint value;
  const gchar *nick;
  const gchar *description;
} PyroSettingChoice;
gboolean pyro_setting_choice (const PyroSetting *setting, guint i,
                              PyroSettingChoice *choice);

/* What is allowed, for people: "1 to 1000 (Hz)". Transfer full. */
gchar *pyro_setting_allowed (const PyroSetting *setting);

G_END_DECLS
