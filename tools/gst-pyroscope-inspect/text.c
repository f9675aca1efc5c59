/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include <string.h>

/* Of the names that exist, so many are listed. */
#define MAX_NAMES 20
/* Longer names than that are compared by their beginning. */
#define MAX_COMPARED 64

static gchar *
replace_unwanted (const gchar *text, gunichar also, gunichar by)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  GString *result = g_string_sized_new (strlen (valid));
  const gchar *at;

  for (at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (c == also)
      g_string_append_unichar (result, by);
    else if (g_unichar_iscntrl (c) || c == 0x2028 || c == 0x2029)
      g_string_append_c (result, '?');
    else
      g_string_append_unichar (result, c);
  }
  return g_string_free (result, FALSE);
}

gchar *
pyro_text_printable (const gchar *text)
{
  return replace_unwanted (text, 0, 0);
}

gchar *
pyro_text_folded (const gchar *text)
{
  return replace_unwanted (text, ';', ':');
}

/* Levenshtein's, by Wagner and Fischer, two rows at a time. */
guint
pyro_text_distance (const gchar *a, const gchar *b)
{
  guint rows[2][MAX_COMPARED + 1];
  guint *above = rows[0], *row = rows[1];
  gsize a_length = MIN (strlen (a), MAX_COMPARED);
  gsize b_length = MIN (strlen (b), MAX_COMPARED);
  gsize i, k;

  for (k = 0; k <= b_length; k++)
    above[k] = k;
  for (i = 1; i <= a_length; i++) {
    guint *next = above;

    row[0] = i;
    for (k = 1; k <= b_length; k++) {
      guint change
          = above[k - 1]
            + (g_ascii_tolower (a[i - 1]) != g_ascii_tolower (b[k - 1]));

      row[k] = MIN (change, MIN (above[k], row[k - 1]) + 1);
    }
    above = row;
    row = next;
  }
  return above[b_length];
}

static const gchar *
nearest (const gchar *wrong, const gchar *const *names)
{
  /* A third of it may be wrong; beyond that a guess is no help. */
  guint best = MAX (2, strlen (wrong) / 3) + 1;
  const gchar *name = NULL;

  for (; *names != NULL; names++) {
    guint distance = pyro_text_distance (wrong, *names);

    if (distance < best) {
      best = distance;
      name = *names;
    }
  }
  return name;
}

gchar *
pyro_text_suggest (const gchar *wrong, const gchar *const *names)
{
  const gchar *near = nearest (wrong, names);
  GString *text = g_string_new (NULL);
  guint i, n = g_strv_length ((gchar **)names);

  if (near != NULL)
    g_string_append_printf (text, "; nearest: \"%s\"", near);
  if (n == 0)
    g_string_append (text, "; there are none");
  else
    g_string_append (text, "; there are: ");
  for (i = 0; i < MIN (n, MAX_NAMES); i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : ", ", names[i]);
  if (n > MAX_NAMES)
    g_string_append_printf (text, " and %u more", n - MAX_NAMES);
  return g_string_free (text, FALSE);
}
