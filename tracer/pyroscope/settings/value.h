/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: one setting's value: from text, into the struct, and back to text.
 * Owner: a PyroSettingValue owns what is in it until it is stored.
 * Threads: any.
 */
#pragma once

#include "settings/table.h"

G_BEGIN_DECLS

typedef struct {
  gchar *string; /* STRING and PAIRS */
  guint number;  /* all others */
  GArray *list;  /* PAIRS: of PyroLabel, owned */
} PyroSettingValue;

/* TEXT, which came from ORIGIN ("the parameter", for messages about its
 * parts), as a value of SETTING. FALSE: it is wrong and *WHY (transfer full)
 * is the end of a sentence that starts with the value. */
gboolean pyro_setting_parse (const PyroSetting *setting, const gchar *text,
                             const gchar *origin, PyroSettingValue *value,
                             gchar **why, GPtrArray *messages);

/* Moves VALUE into SETTINGS, in the place of what is there. */
void pyro_setting_store (const PyroSetting *setting, PyroSettings *settings,
                         PyroSettingValue *value);

/* The fields of SETTING in SETTINGS. */
gchar **
pyro_setting_string (const PyroSetting *setting, PyroSettings *settings);
guint *pyro_setting_number (const PyroSetting *setting, PyroSettings *settings);
GArray **pyro_setting_list (const PyroSetting *setting, PyroSettings *settings);

/* TEXT as a message may show it: quoted, and masked as it must be. The value
 * that is set, likewise. Transfer full. */
gchar *pyro_setting_show_text (const PyroSetting *setting, const gchar *text);
gchar *pyro_setting_show_value (const PyroSetting *setting,
                                const PyroSettings *settings);

/* An array of PyroLabel that frees its strings, and a deep copy of one. */
GArray *pyro_label_list_new (void);
GArray *pyro_label_list_copy (const GArray *list);

G_END_DECLS
