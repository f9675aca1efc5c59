/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/json.h"
#include "settings/value.h"

static const gchar *
skip_blanks (const gchar *p)
{
  return p + strspn (p, " \t\r\n");
}

/* Four hexadecimal digits at P, or -1. */
static gint
read_hex (const gchar *p)
{
  gint number = 0;

  for (guint i = 0; i < 4; i++) {
    gint digit = g_ascii_xdigit_value (p[i]);

    if (digit < 0)
      return -1;
    number = number * 16 + digit;
  }
  return number;
}

/* The escape behind the backslash at *P, which moves behind it. */
static gboolean
read_escape (const gchar **p, GString *out)
{
  static const gchar from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const gchar *q = *p + 1;
  const gchar *found = *q != '\0' ? strchr (from, *q) : NULL;
  gint unit, low;

  if (found != NULL) {
    g_string_append_c (out, to[found - from]);
    *p = q + 1;
    return TRUE;
  }
  if (*q != 'u' || (unit = read_hex (q + 1)) <= 0)
    return FALSE;
  q += 5;
  if (unit >= 0xd800 && unit <= 0xdfff) {
    /* Characters beyond 16 bits are two, a high and a low surrogate. */
    if (unit >= 0xdc00 || q[0] != '\\' || q[1] != 'u'
        || (low = read_hex (q + 2)) < 0xdc00 || low > 0xdfff)
      return FALSE;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    q += 6;
  }
  g_string_append_unichar (out, unit);
  *p = q;
  return TRUE;
}

/* The string at *P, which moves behind it, or NULL. Transfer full. */
static gchar *
read_string (const gchar **p)
{
  GString *out;

  if (**p != '"')
    return NULL;
  out = g_string_new (NULL);
  (*p)++;
  while (**p != '"') {
    gboolean good = TRUE;

    if (**p == '\\')
      good = read_escape (p, out);
    else if ((guchar) * *p >= 0x20)
      g_string_append_c (out, *(*p)++);
    else
      good = FALSE;
    if (!good) {
      g_string_free (out, TRUE);
      return NULL;
    }
  }
  (*p)++;
  return g_string_free (out, FALSE);
}

gboolean
pyro_json_is_object (const gchar *text)
{
  const gchar *p = skip_blanks (text);
  g_autofree gchar *name = NULL;

  if (*p != '{')
    return FALSE;
  p = skip_blanks (p + 1);
  if (*p == '}')
    return TRUE;
  name = read_string (&p);
  return name != NULL && *skip_blanks (p) == ':';
}

GArray *
pyro_json_read_object (const gchar *text, gchar **why)
{
  g_autoptr (GArray) members = pyro_label_list_new ();
  const gchar *p = skip_blanks (text);

  if (*p++ != '{')
    goto wrong;
  p = skip_blanks (p);
  while (*p != '}') {
    g_autofree gchar *name = NULL, *value = NULL;
    PyroLabel member;

    if ((name = read_string (&p)) == NULL)
      goto wrong;
    p = skip_blanks (p);
    if (*p != ':')
      goto wrong;
    p = skip_blanks (p + 1);
    if ((value = read_string (&p)) == NULL)
      goto wrong;
    member.key = g_steal_pointer (&name);
    member.value = g_steal_pointer (&value);
    g_array_append_val (members, member);
    p = skip_blanks (p);
    if (*p == ',') {
      p = skip_blanks (p + 1);
      if (*p == '}')
        goto wrong;
    } else if (*p != '}') {
      goto wrong;
    }
  }
  p = skip_blanks (p + 1);
  if (*p == '\0')
    return g_steal_pointer (&members);

wrong:
  *why = g_strdup_printf ("is no JSON object of strings (byte %" G_GSIZE_FORMAT
                          ")",
                          (gsize)(p - text) + 1);
  return NULL;
}
