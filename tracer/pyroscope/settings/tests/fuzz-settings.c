/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever the parameters and the environment are, there are settings, within
 * their ranges. See ci/fuzz. */
#include "settings.h"

#include <string.h>

#include "ci/fuzz/fuzz.h"

/* "At most a few dozen." */
#define MAX_MESSAGES 64

/* The parameters, and behind a zero each the variables of the environment. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GPtrArray) messages = pyro_settings_messages_new ();
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (PyroSettings) settings = NULL;
  g_autoptr (PyroSettings) copy = NULL;
  g_autofree gchar *description = NULL;
  g_autofree gchar *copied_description = NULL;
  const gchar *at = (const gchar *)data, *end = at + size;

  do {
    gchar *text = g_strndup (at, (gsize)(end - at));

    at += strlen (text) + 1;
    g_ptr_array_add (texts, text);
  } while (at < end);
  g_ptr_array_add (texts, NULL);

  settings = pyro_settings_new (texts->pdata[0], (gchar **)texts->pdata + 1,
                                messages);
  g_assert_cmpuint (messages->len, <=, MAX_MESSAGES);
  g_assert_cmpuint (settings->sample_rate, >=, 1);
  g_assert_cmpuint (settings->sample_rate, <=, 1000);
  g_assert_cmpuint (settings->upload_interval, >=, 1);
  g_assert_true (settings->output_dir[0] == '\0'
                 || g_path_is_absolute (settings->output_dir));
  description = pyro_settings_describe (settings);
  copy = pyro_settings_copy (settings);
  copied_description = pyro_settings_describe (copy);
  g_assert_cmpstr (description, ==, copied_description);
  return 0;
}
