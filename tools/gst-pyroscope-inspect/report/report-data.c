/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report-data.h"

#include <stdio.h>
#include <string.h>

#include "../label-names.h"
#include "../selection.h"
#include "../stack-tree.h"

/* As JSON, and so that no part of it ends or begins an HTML element. */
static void
write_text (const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  const gchar *at;

  putchar ('"');
  for (at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (c < 0x20 || c == 0x7f || c == '"' || c == '\\' || c == '<' || c == '>'
        || c == '&' || c == 0x2028 || c == 0x2029)
      printf ("\\u%04x", c);
    else
      fwrite (at, 1, g_utf8_next_char (at) - at, stdout);
  }
  putchar ('"');
}

static void
write_key (const gchar *key)
{
  write_text (key);
  putchar (':');
}

static void
write_texts (gchar *const *texts, guint n)
{
  putchar ('[');
  for (guint i = 0; i < n; i++) {
    if (i > 0)
      putchar (',');
    write_text (texts[i]);
  }
  putchar (']');
}

static void
begin_number (gsize index)
{
  if (index > 0)
    putchar (',');
}

static void
write_types (const PyroProfile *profile)
{
  write_key ("types");
  putchar ('[');
  for (gsize i = 0; i < profile->n_sample_types; i++) {
    begin_number (i);
    putchar ('{');
    write_key ("type");
    write_text (profile->sample_types[i].type);
    putchar (',');
    write_key ("unit");
    write_text (profile->sample_types[i].unit);
    putchar ('}');
  }
  printf ("],\n");
}

static void
write_tree (const PyroStackTree *tree)
{
  guint i;

  write_key ("names");
  write_texts ((gchar **)tree->names->pdata, tree->names->len);
  printf (",\n");
  write_key ("parent");
  putchar ('[');
  for (i = 1; i < tree->nodes->len; i++) {
    begin_number (i - 1);
    printf ("%u", i - pyro_stack_tree_get (tree, i)->parent);
  }
  printf ("],\n");
  write_key ("name");
  putchar ('[');
  for (i = 1; i < tree->nodes->len; i++) {
    begin_number (i - 1);
    printf ("%u", pyro_stack_tree_get (tree, i)->name);
  }
  printf ("],\n");
}

/* "TIME:DURATION" of PYRO_CAPTURE_LABEL. */
static void
parse_capture (const gchar *text, gint64 *time_ns, gint64 *duration_ns)
{
  const gchar *colon = strchr (text, ':');

  *time_ns = g_ascii_strtoll (text, NULL, 10);
  *duration_ns = colon != NULL ? g_ascii_strtoll (colon + 1, NULL, 10) : 0;
}

static gint
compare_captures (gconstpointer a, gconstpointer b)
{
  gint64 time_a, time_b, duration;

  parse_capture (*(const gchar *const *)a, &time_a, &duration);
  parse_capture (*(const gchar *const *)b, &time_b, &duration);
  return (time_a > time_b) - (time_a < time_b);
}

/* Numbers for the values of label KEY, which are in the order of VALUES. */
static void
write_column (const PyroProfile *profile, const gchar *key,
              gchar *const *values)
{
  g_autoptr (GHashTable) numbers = g_hash_table_new (g_str_hash, g_str_equal);
  gsize i;

  for (i = 0; values[i] != NULL; i++)
    g_hash_table_insert (numbers, values[i], GSIZE_TO_POINTER (i));
  putchar ('[');
  for (i = 0; i < profile->n_samples; i++) {
    g_autofree gchar *value
        = pyro_label_value_or_none (&profile->samples[i], key);

    begin_number (i);
    printf ("%u", GPOINTER_TO_UINT (g_hash_table_lookup (numbers, value)));
  }
  putchar (']');
}

/* All values of label KEY, with the lack of it, sorted. (transfer full) */
static gchar **
column_values (const PyroProfile *profile, const gchar *key)
{
  g_autoptr (GHashTable) set
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; i < profile->n_samples; i++)
    g_hash_table_add (set,
                      pyro_label_value_or_none (&profile->samples[i], key));
  return pyro_names_sorted (set);
}

static void
write_labels (const PyroProfile *profile)
{
  g_auto (GStrv) keys = pyro_label_names (profile);
  guint n = 0;

  write_key ("labels");
  putchar ('[');
  for (guint i = 0; keys[i] != NULL; i++) {
    g_auto (GStrv) values = NULL;

    if (strcmp (keys[i], PYRO_CAPTURE_LABEL) == 0)
      continue;
    values = column_values (profile, keys[i]);
    begin_number (n++);
    putchar ('{');
    write_key ("key");
    write_text (keys[i]);
    putchar (',');
    write_key ("values");
    write_texts (values, g_strv_length (values));
    putchar (',');
    write_key ("value");
    write_column (profile, keys[i], values);
    printf ("}\n");
  }
  printf ("],\n");
}

static void
write_captures (const PyroProfile *profile)
{
  g_auto (GStrv) captures = column_values (profile, PYRO_CAPTURE_LABEL);

  qsort (captures, g_strv_length (captures), sizeof (*captures),
         compare_captures);
  write_key ("captures");
  putchar ('[');
  for (guint i = 0; captures[i] != NULL; i++) {
    gint64 time_ns, duration_ns;

    parse_capture (captures[i], &time_ns, &duration_ns);
    begin_number (i);
    printf ("[%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "]", time_ns / 1000000,
            duration_ns / 1000000);
  }
  printf ("],\n");
  write_key ("capture");
  write_column (profile, PYRO_CAPTURE_LABEL, captures);
  printf (",\n");
}

static void
write_values (const PyroProfile *profile, const guint *leaves)
{
  gsize i, k;

  write_key ("leaf");
  putchar ('[');
  for (i = 0; i < profile->n_samples; i++) {
    begin_number (i);
    printf ("%u", leaves[i]);
  }
  printf ("],\n");
  write_key ("values");
  putchar ('[');
  for (k = 0; k < profile->n_sample_types; k++) {
    begin_number (k);
    putchar ('[');
    for (i = 0; i < profile->n_samples; i++) {
      begin_number (i);
      printf ("%" G_GINT64_FORMAT, profile->samples[i].values[k]);
    }
    printf ("]\n");
  }
  putchar (']');
}

static void
write_profile (const PyroInputGroup *group, const gchar *type)
{
  const PyroProfile *profile = group->profile;
  gint asked = type != NULL ? pyro_selection_find_type (profile, type) : -1;
  g_autofree guint *leaves = g_new (guint, profile->n_samples + 1);
  g_autoptr (PyroStackTree) tree
      = pyro_stack_tree_new (profile, 0, NULL, leaves);

  putchar ('{');
  write_types (profile);
  write_key ("type");
  printf ("%u,",
          asked >= 0 ? (guint)asked : pyro_selection_default_type (profile));
  write_key ("files");
  printf ("%u,", group->n_files);
  write_key ("time");
  printf ("\"%" G_GINT64_FORMAT "\",", profile->time_ns);
  write_key ("duration");
  printf ("%" G_GINT64_FORMAT ",\n", profile->duration_ns);
  write_tree (tree);
  write_labels (profile);
  write_captures (profile);
  write_values (profile, leaves);
  printf ("}\n");
}

void
pyro_report_data_write (const PyroInput *input, const gchar *title,
                        const gchar *type)
{
  putchar ('{');
  write_key ("title");
  write_text (title);
  putchar (',');
  write_key ("version");
  write_text (PYRO_VERSION);
  putchar (',');
  write_key ("profiles");
  putchar ('[');
  for (guint i = 0; i < input->groups->len; i++) {
    begin_number (i);
    write_profile (input->groups->pdata[i], type);
  }
  printf ("]}\n");
}
