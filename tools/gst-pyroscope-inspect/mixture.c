/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mixture.h"

#include "inspect-error.h"
#include "label-names.h"
#include "profile/profile-comments.h"

#define MAX_NAMED 3

static const struct {
  const gchar *key;
  const gchar *name;
} kinds[] = {
  { "service_name", "services" },
  { "hostname", "hosts" },
  { "version", "versions" },
};

void
pyro_mixture_init (PyroMixture *mixture)
{
  mixture->values = g_new (GHashTable *, G_N_ELEMENTS (kinds));
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    mixture->values[i]
        = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

void
pyro_mixture_clear (PyroMixture *mixture)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    g_hash_table_unref (mixture->values[i]);
  g_free (mixture->values);
}

void
pyro_mixture_add (PyroMixture *mixture, const PyroProfile *profile)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree gchar *key
        = g_strconcat (PYRO_COMMENT_SERIES, kinds[i].key, NULL);
    const gchar *value = pyro_profile_get_comment (profile, key);

    if (value != NULL)
      g_hash_table_add (mixture->values[i], g_strdup (value));
  }
}

/* "2 services (a, b)" */
static void
append_kind (GString *text, guint kind, GHashTable *values)
{
  g_auto (GStrv) names = pyro_names_sorted (values);
  guint i, n = g_strv_length (names);

  g_string_append_printf (text, "%s%u %s (", text->len > 0 ? ", " : "", n,
                          kinds[kind].name);
  for (i = 0; i < MIN (n, MAX_NAMED); i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", names[i]);
  g_string_append (text, n > MAX_NAMED ? ", ...)" : ")");
}

void
pyro_mixture_report (const PyroMixture *mixture, const GPtrArray *chosen)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const gchar *first = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (g_hash_table_size (mixture->values[i]) < 2
        || g_ptr_array_find_with_equal_func ((GPtrArray *)chosen, kinds[i].key,
                                             g_str_equal, NULL))
      continue;
    append_kind (text, i, mixture->values[i]);
    if (first == NULL)
      first = kinds[i].key;
  }
  if (first != NULL)
    pyro_report ("note: the captures are of %s; see --filter %s=...", text->str,
                 first);
}
