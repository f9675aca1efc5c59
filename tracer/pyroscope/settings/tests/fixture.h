/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: settings and their messages in one, and what tests ask of them.
 * Owner: the test, on its stack: g_auto (Fixture) f = fixture (...).
 * Threads: the test's.
 */
#pragma once

#include "settings/message.h"
#include "settings/table.h"

/* Says which case is tested, on one line, as TAP wants it. */
static inline void
note_case (const gchar *text)
{
  g_autofree gchar *quoted = pyro_settings_quote (text != NULL ? text : "");

  g_test_message ("%s", quoted);
}

typedef struct {
  PyroSettings *s;
  GPtrArray *messages;
} Fixture;

static inline void
fixture_clear (Fixture *f)
{
  g_clear_pointer (&f->s, pyro_settings_free);
  g_clear_pointer (&f->messages, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

/* ENVIRONMENT: "K=V" strings with a blank between them, or NULL. */
static inline Fixture
fixture (const gchar *params, const gchar *environment)
{
  g_auto (GStrv) split
      = environment != NULL ? g_strsplit (environment, " ", -1) : NULL;
  Fixture f = { NULL, pyro_settings_messages_new () };

  f.s = pyro_settings_new (params, split, f.messages);
  return f;
}

static inline const gchar *
message (const Fixture *f, guint i)
{
  return ((PyroSettingsMessage *)g_ptr_array_index (f->messages, i))->text;
}

/* Number of messages; their texts are shown where that is not N. */
#define assert_n_messages(f, n)                         \
  G_STMT_START                                          \
  {                                                     \
    if ((f)->messages->len != (n))                      \
      for (guint i_ = 0; i_ < (f)->messages->len; i_++) \
        g_test_message ("%s", message ((f), i_));       \
    g_assert_cmpuint ((f)->messages->len, ==, (n));     \
  }                                                     \
  G_STMT_END

/* One message has all of the words that WORDS has between its '&'s. */
static inline gboolean
is_said (const Fixture *f, const gchar *words)
{
  g_auto (GStrv) split = g_strsplit (words, "&", -1);

  for (guint i = 0; i < f->messages->len; i++) {
    guint found = 0;

    while (split[found] != NULL && strstr (message (f, i), split[found]))
      found++;
    if (split[found] == NULL)
      return TRUE;
  }
  for (guint i = 0; i < f->messages->len; i++)
    g_test_message ("said: %s", message (f, i));
  g_test_message ("not said: %s", words);
  return FALSE;
}

/* TEXT is in no message. */
static inline gboolean
is_hidden (const Fixture *f, const gchar *text)
{
  for (guint i = 0; i < f->messages->len; i++)
    if (strstr (message (f, i), text) != NULL) {
      g_test_message ("shown: %s", message (f, i));
      return FALSE;
    }
  return TRUE;
}

/* "k=v|k=v", as the list has it. */
static inline gchar *
join_list (const GArray *list)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < list->len; i++) {
    const PyroLabel *label = &g_array_index (list, PyroLabel, i);

    g_string_append_printf (text, "%s%s=%s", i > 0 ? "|" : "", label->key,
                            label->value);
  }
  return g_string_free (text, FALSE);
}

static inline void
assert_list (const GArray *list, const gchar *wanted)
{
  g_autofree gchar *text = join_list (list);

  g_assert_cmpstr (text, ==, wanted);
}
