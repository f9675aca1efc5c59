/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/pairs.h"
#include "settings/check.h"
#include "settings/json.h"
#include "settings/message.h"
#include "settings/value.h"

/* Pyroscope's default limits, bytes. */
#define MAX_LABEL_NAME 1024
#define MAX_LABEL_VALUE 2048
/* More headers than this no server takes, and no one means. */
#define MAX_HEADERS 64

/* On every series anyway; a tag of that name replaces it. */
static const gchar *const default_labels[]
    = { "service", "version", "os", "arch", "hostname", NULL };
/* A series label would hide the sample's own (Pyroscope: series labels win). */
static const gchar *const sample_labels[] = {
  "pipeline", "path", "element", "factory", "thread", "attribution", NULL
};
/* Set by the push itself: a second one would break the request. */
static const gchar *const push_headers[]
    = { "Content-Type",      "Content-Length", "Content-Encoding",
        "Transfer-Encoding", "Connection",     NULL };

/* What __name__, service_name, the default and the sample labels leave. */
#define MAX_TAGS                                                    \
  (PYRO_MAX_SERIES_LABELS - 2 - (G_N_ELEMENTS (default_labels) - 1) \
   - (G_N_ELEMENTS (sample_labels) - 1))

typedef struct {
  const PyroSetting *setting;
  const gchar *origin;
  GArray *list;
  guint n_added; /* of the list, those that count for the limit */
  guint n_over;
  GPtrArray *messages;
} Pairs;

gsize
pyro_pairs_type_prefix (const gchar *p)
{
  static const gchar *const types[]
      = { "string", "str",  "s",     "gchararray", "int",      "i",
          "gint",   "uint", "u",     "guint",      "int64",    "gint64",
          "uint64", "b",    "bool",  "boolean",    "gboolean", "float",
          "double", "f",    "d",     "gfloat",     "gdouble",  "list",
          "array",  "enum", "flags", NULL };
  gsize length;

  if (*p != '(')
    return 0;
  for (guint i = 0; types[i] != NULL; i++) {
    length = strlen (types[i]);
    if (strncmp (p + 1, types[i], length) == 0 && p[length + 1] == ')')
      return length + 2;
  }
  return 0;
}

gchar *
pyro_pairs_unquote (const gchar **p, gboolean keep)
{
  gchar quote = **p;
  const gchar *q = *p + 1;
  GString *text = g_string_new (NULL);

  for (; *q != '\0' && *q != quote; q++) {
    if (*q == '\\' && q[1] != '\0' && (!keep || q[1] == quote || q[1] == '\\'))
      q++;
    g_string_append_c (text, *q);
  }
  if (*q == '\0') {
    g_string_free (text, TRUE);
    return NULL;
  }
  *p = q + 1;
  return g_string_free (text, FALSE);
}

gchar *
pyro_pairs_unescape (const gchar *text, gsize length)
{
  const gchar *end = text + length;
  GString *out = g_string_sized_new (length);

  while (text < end && g_ascii_isspace (*text))
    text++;
  while (end > text && g_ascii_isspace (end[-1])
         && !(end - text > 1 && end[-2] == '\\'))
    end--;
  for (; text < end; text++) {
    if (*text == '\\' && text + 1 < end && strchr (",=;\\\"' ", text[1]))
      text++;
    g_string_append_c (out, *text);
  }
  return g_string_free (out, FALSE);
}

gboolean
pyro_pairs_opens_quote (const gchar *start, const gchar *p)
{
  if (*p != '"' && *p != '\'')
    return FALSE;
  while (p > start && g_ascii_isspace (p[-1]))
    p--;
  return p == start || strchr ("=,{[<):", p[-1]) != NULL;
}

const gchar *
pyro_pairs_item_end (const gchar *start, const gchar *p)
{
  for (; *p != '\0' && *p != ','; p++) {
    if (*p == '\\' && p[1] != '\0') {
      p++;
    } else if (pyro_pairs_opens_quote (start, p)) {
      const gchar *behind = p;
      g_autofree gchar *text = pyro_pairs_unquote (&behind, FALSE);

      /* One that does not end is not one. */
      if (text != NULL)
        p = behind - 1;
    }
  }
  return p;
}

gchar *
pyro_pairs_strip_brackets (const gchar *text)
{
  static const gchar open[] = "{[<", close[] = "}]>";
  gchar *bare = g_strstrip (g_strdup (text));
  gsize length = strlen (bare);
  const gchar *kind = *bare != '\0' ? strchr (open, *bare) : NULL;

  if (kind != NULL && length >= 2 && bare[length - 1] == close[kind - open]) {
    *bare = bare[length - 1] = ' ';
    g_strstrip (bare);
  }
  return bare;
}

static void leave_out (Pairs *pairs, const gchar *item, const gchar *format,
                       ...) G_GNUC_PRINTF (3, 4);

/* Says that ITEM is not used, and why; NULL: it must not be shown. */
static void
leave_out (Pairs *pairs, const gchar *item, const gchar *format, ...)
{
  g_autofree gchar *shown = NULL, *reason = NULL;
  va_list args;

  if (item != NULL)
    shown = pyro_settings_quote (item);
  va_start (args, format);
  reason = g_strdup_vprintf (format, args);
  va_end (args);
  pyro_settings_say (pairs->messages, PYRO_MESSAGE_WARNING,
                     "%s: %s from %s %s; it is left out", pairs->setting->name,
                     shown != NULL ? shown : "a header (not shown)",
                     pairs->origin, reason);
}

static PyroLabel *
find_pair (Pairs *pairs, const gchar *key, gboolean fold_case)
{
  for (guint i = 0; i < pairs->list->len; i++) {
    PyroLabel *label = &g_array_index (pairs->list, PyroLabel, i);

    if ((fold_case ? g_ascii_strcasecmp : g_strcmp0) (label->key, key) == 0)
      return label;
  }
  return NULL;
}

/* Takes VALUE. */
static void
put_pair (Pairs *pairs, const gchar *key, gchar *value, gboolean fold_case)
{
  PyroLabel *other = find_pair (pairs, key, fold_case);
  PyroLabel label;

  if (other != NULL) {
    g_autofree gchar *shown = pyro_settings_quote (key);

    pyro_settings_say (pairs->messages, PYRO_MESSAGE_WARNING,
                       "%s: %s is given twice in %s; the last one counts",
                       pairs->setting->name, shown, pairs->origin);
    g_free ((gchar *)other->value);
    other->value = value;
    return;
  }
  label.key = g_strdup (key);
  label.value = value;
  g_array_append_val (pairs->list, label);
}

/* KEY as a label name: [a-zA-Z_][a-zA-Z0-9_]*. KEY is valid UTF-8 and not
 * empty. Transfer full. */
static gchar *
make_label_name (const gchar *key)
{
  GString *name = g_string_new (NULL);

  if (g_ascii_isdigit (*key))
    g_string_append_c (name, '_');
  for (; *key != '\0'; key = g_utf8_next_char (key))
    g_string_append_c (name, g_ascii_isalnum (*key) ? *key : '_');
  return g_string_free (name, FALSE);
}

static void
add_tag (Pairs *pairs, const gchar *item, const gchar *key, const gchar *value)
{
  g_autofree gchar *name = NULL;
  gboolean counts;

  if (!g_utf8_validate (key, -1, NULL) || !g_utf8_validate (value, -1, NULL)) {
    leave_out (pairs, item, "is not valid UTF-8; write it in UTF-8");
    return;
  }
  if (*key == '\0') {
    leave_out (pairs, item, "has no name; write NAME=VALUE");
    return;
  }
  name = make_label_name (key);
  if (*value == '\0') {
    leave_out (pairs, item, "has no value; write %.64s=VALUE, or drop it",
               name);
    return;
  }
  if (strlen (name) > MAX_LABEL_NAME || strlen (value) > MAX_LABEL_VALUE) {
    leave_out (pairs, item,
               "is too long; a name has at most %d bytes and a value %d",
               MAX_LABEL_NAME, MAX_LABEL_VALUE);
    return;
  }
  if (strcmp (name, "service_name") == 0) {
    leave_out (pairs, item, "belongs to another setting; use tracer-name");
    return;
  }
  if (g_str_has_prefix (name, "__")) {
    leave_out (pairs, item,
               "has a name that the server keeps for itself; "
               "use one that does not begin with __");
    return;
  }
  if (g_strv_contains (sample_labels, name)) {
    leave_out (pairs, item,
               "would hide the %s that each sample has; use "
               "another name",
               name);
    return;
  }
  counts = !g_strv_contains (default_labels, name)
           && find_pair (pairs, name, FALSE) == NULL;
  if (counts && pairs->n_added >= MAX_TAGS) {
    pairs->n_over++;
    return;
  }
  if (strcmp (name, key) != 0) {
    g_autofree gchar *shown = pyro_settings_quote (key);

    pyro_settings_say (pairs->messages, PYRO_MESSAGE_INFO,
                       "%s: %s from %s is no label name (letters, digits and "
                       "_, no digit first); %s is used",
                       pairs->setting->name, shown, pairs->origin, name);
  }
  put_pair (pairs, name, g_strdup (value), FALSE);
  if (counts)
    pairs->n_added++;
}

/* A token of RFC 9110, which the name of a header is. */
static gboolean
is_header_name (const gchar *key)
{
  const gchar *p = key;

  while (g_ascii_isalnum (*p)
         || (*p != '\0' && strchr ("!#$%&'*+-.^_`|~", *p) != NULL))
    p++;
  return p > key && *p == '\0';
}

static void
add_header (Pairs *pairs, const gchar *key, const gchar *value)
{
  if (!is_header_name (key)) {
    /* It may be a piece of a value: not shown. */
    leave_out (pairs, NULL,
               "has no valid name; a header's name is made of "
               "letters, digits and -");
    return;
  }
  if (pyro_has_control (value)) {
    leave_out (pairs, key,
               "has a control character in its value, perhaps a "
               "line's end, and would break the request");
    return;
  }
  for (guint i = 0; push_headers[i] != NULL; i++)
    if (g_ascii_strcasecmp (push_headers[i], key) == 0) {
      leave_out (pairs, key, "is set by the push itself");
      return;
    }
  if (pairs->list->len >= MAX_HEADERS && !find_pair (pairs, key, TRUE)) {
    pairs->n_over++;
    return;
  }
  put_pair (pairs, key, g_strdup (value), TRUE);
}

static void
add_pair (Pairs *pairs, const gchar *item, const gchar *key, const gchar *value)
{
  if (pairs->setting->secret)
    add_header (pairs, key, value);
  else
    add_tag (pairs, item, key, value);
}

/* The value behind '=', or NULL with *WHY set. Transfer full. */
static gchar *
read_value (const gchar *p, const gchar **why)
{
  gchar *value;

  while (g_ascii_isspace (*p))
    p++;
  p += pyro_pairs_type_prefix (p);
  if (*p != '"' && *p != '\'')
    return pyro_pairs_unescape (p, strlen (p));
  value = pyro_pairs_unquote (&p, FALSE);
  if (value == NULL) {
    *why = "has a quote that is not closed; close it";
    return NULL;
  }
  while (g_ascii_isspace (*p))
    p++;
  if (*p != '\0') {
    *why = "has text behind its closing quote; put all of the value in quotes";
    g_clear_pointer (&value, g_free);
  }
  return value;
}

/* One pair: ITEM is between two commas, its blanks cut off. */
static void
read_item (Pairs *pairs, const gchar *item)
{
  const gchar *hidden = pairs->setting->secret ? NULL : item;
  const gchar *p = item + pyro_pairs_type_prefix (item);
  const gchar *equals, *why = NULL;
  g_autofree gchar *whole = NULL, *key = NULL, *value = NULL;

  if (*p == '"' || *p == '\'') {
    whole = read_value (p, &why);
    if (whole == NULL) {
      leave_out (pairs, hidden, "%s", why);
      return;
    }
    p = whole;
  }
  equals = strchr (p, '=');
  if (equals == NULL) {
    leave_out (pairs, hidden,
               "has no '='; write NAME=VALUE, and put a value "
               "that has a comma in it in quotes");
    return;
  }
  key = g_strstrip (g_strndup (p, equals - p));
  value = whole != NULL ? g_strstrip (g_strdup (equals + 1))
                        : read_value (equals + 1, &why);
  if (value == NULL)
    leave_out (pairs, hidden, "%s", why);
  else
    add_pair (pairs, item, key, value);
}

static void
read_list (Pairs *pairs, const gchar *text)
{
  g_autofree gchar *bare = pyro_pairs_strip_brackets (text);
  const gchar *p = bare;

  for (;;) {
    const gchar *end = pyro_pairs_item_end (bare, p);
    g_autofree gchar *item = g_strstrip (g_strndup (p, end - p));

    /* A comma too many does no harm. */
    if (*item != '\0')
      read_item (pairs, item);
    if (*end == '\0')
      return;
    p = end + 1;
  }
}

GArray *
pyro_pairs_parse (const PyroSetting *setting, const gchar *text,
                  const gchar *origin, gchar **why, GPtrArray *messages)
{
  Pairs pairs = { setting, origin, pyro_label_list_new (), 0, 0, messages };

  if (setting->secret && pyro_json_is_object (text)) {
    g_autoptr (GArray) members = pyro_json_read_object (text, why);

    if (members == NULL) {
      g_array_unref (pairs.list);
      return NULL;
    }
    for (guint i = 0; i < members->len; i++) {
      const PyroLabel *member = &g_array_index (members, PyroLabel, i);

      add_pair (&pairs, NULL, member->key, member->value);
    }
  } else {
    read_list (&pairs, text);
  }
  if (pairs.n_over > 0)
    pyro_settings_say (
        messages, PYRO_MESSAGE_WARNING,
        "%s: %u %s from %s are above the limit of %u and are left out; give "
        "fewer",
        setting->name, pairs.n_over, setting->secret ? "headers" : "tags",
        origin, setting->secret ? MAX_HEADERS : (guint)MAX_TAGS);
  return pairs.list;
}
