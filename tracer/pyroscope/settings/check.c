/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/check.h"

#include <errno.h>
#include <unistd.h>

/* The server's limit for the value of a label. */
#define MAX_LABEL_VALUE 2048

static gboolean
refuse (gchar **why, const gchar *reason)
{
  *why = g_strdup (reason);
  return FALSE;
}

gboolean
pyro_has_control (const gchar *text)
{
  for (; *text != '\0'; text++)
    if (g_ascii_iscntrl (*text))
      return TRUE;
  return FALSE;
}

gboolean
pyro_check_url (gchar **text, gchar **note, gchar **why)
{
  g_autofree gchar *url = NULL;
  g_autoptr (GUri) uri = NULL;
  const gchar *colon;
  gsize length;

  g_strstrip (*text);
  if (**text == '\0')
    return TRUE;
  for (const gchar *p = *text; *p != '\0'; p++)
    if (g_ascii_isspace (*p) || g_ascii_iscntrl (*p))
      return refuse (why, "has a blank or a control character in it");
  if (!g_utf8_validate (*text, -1, NULL))
    return refuse (why, "is not valid UTF-8");

  colon = strstr (*text, "://");
  url = colon != NULL ? g_strdup (*text) : g_strconcat ("http://", *text, NULL);
  uri = g_uri_parse (url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED, NULL);
  if (uri == NULL || g_uri_get_host (uri) == NULL
      || *g_uri_get_host (uri) == '\0')
    return refuse (why, "is not a URL");
  if (g_ascii_strcasecmp (g_uri_get_scheme (uri), "http") != 0
      && g_ascii_strcasecmp (g_uri_get_scheme (uri), "https") != 0)
    return refuse (why, "is neither http nor https");
  if (g_uri_get_port (uri) == 0)
    return refuse (why, "has no usable port");
  if (g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL)
    return refuse (why, "has a ? or # part, which no request could keep");

  length = strlen (url);
  while (length > 0 && url[length - 1] == '/')
    url[--length] = '\0';
  if (colon == NULL) {
    g_autofree gchar *masked = pyro_url_mask (url);

    *note = g_strdup_printf ("has no scheme, so %s is used; write it with "
                             "http:// or https://",
                             masked);
  }
  g_free (*text);
  *text = g_steal_pointer (&url);
  return TRUE;
}

gboolean
pyro_url_take_userinfo (gchar **url, gchar **user, gchar **password)
{
  gchar *start = strstr (*url, "://");
  gchar *at, *colon;
  gsize authority;
  g_autofree gchar *userinfo = NULL;

  if (start == NULL)
    return FALSE;
  start += strlen ("://");
  authority = strcspn (start, "/?#");
  at = g_strrstr_len (start, authority, "@");
  if (at == NULL)
    return FALSE;
  userinfo = g_strndup (start, at - start);
  colon = strchr (userinfo, ':');
  if (colon != NULL)
    *colon = '\0';
  *user = g_uri_unescape_string (userinfo, NULL);
  *password = g_uri_unescape_string (colon != NULL ? colon + 1 : "", NULL);
  /* An escape that is none: then it stood for itself. */
  if (*user == NULL)
    *user = g_strdup (userinfo);
  if (*password == NULL)
    *password = g_strdup (colon + 1);
  memmove (start, at + 1, strlen (at + 1) + 1);
  return TRUE;
}

gchar *
pyro_url_mask (const gchar *url)
{
  const gchar *start = strstr (url, "://");
  const gchar *at = strrchr (url, '@');
  GString *masked = g_string_new (NULL);
  gsize shown;

  start = start != NULL ? start + strlen ("://") : url;
  if (at != NULL && at >= start) {
    g_string_append_len (masked, url, start - url);
    g_string_append (masked, "***");
    url = at;
  }
  shown = strcspn (url, "?#");
  g_string_append_len (masked, url, shown);
  if (url[shown] != '\0')
    g_string_append_printf (masked, "%c***", url[shown]);
  return g_string_free (masked, FALSE);
}

gboolean
pyro_check_service_name (gchar **text, gchar **note, gchar **why)
{
  g_strstrip (*text);
  if (**text == '\0')
    return refuse (why, "is empty");
  if (strlen (*text) > MAX_LABEL_VALUE)
    return refuse (why, "is too long");
  if (!g_utf8_validate (*text, -1, NULL))
    return refuse (why, "is not valid UTF-8");
  return TRUE;
}

gboolean
pyro_check_directory (gchar **text, gchar **note, gchar **why)
{
  g_autofree gchar *path = NULL;

  g_strstrip (*text);
  if (**text == '\0')
    return TRUE;
  if (g_str_has_prefix (*text, "~/") || strcmp (*text, "~") == 0)
    path = g_build_filename (g_get_home_dir (), *text + 1, NULL);
  else
    path = g_strdup (*text);
  g_free (*text);
  *text = g_canonicalize_filename (path, NULL);
  return TRUE;
}

gboolean
pyro_check_directories (gchar **text, gchar **note, gchar **why)
{
  g_auto (GStrv) paths = g_strsplit (*text, ":", -1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();

  for (gchar **path = paths; *path != NULL; path++) {
    pyro_check_directory (path, note, why);
    if (**path != '\0')
      g_ptr_array_add (kept, *path);
  }
  g_ptr_array_add (kept, NULL);
  g_free (*text);
  *text = g_strjoinv (":", (gchar **)kept->pdata);
  return TRUE;
}

gboolean
pyro_check_file (gchar **text, gchar **note, gchar **why)
{
  pyro_check_directory (text, note, why);
  if (**text == '\0')
    return TRUE;
  if (g_file_test (*text, G_FILE_TEST_IS_DIR))
    return refuse (why, "is a directory");
  if (access (*text, R_OK) != 0) {
    *why = g_strdup_printf ("cannot be read: %s", g_strerror (errno));
    return FALSE;
  }
  return TRUE;
}

gboolean
pyro_check_mode (gchar **text, gchar **note, gchar **why)
{
  gchar *end;
  guint64 mode;

  g_strstrip (*text);
  mode = g_ascii_strtoull (*text, &end, 8);
  if (!g_ascii_isdigit (**text) || *end != '\0' || strlen (*text) > 4)
    return refuse (why, "is not a mode in octal digits");
  if (mode > 0777)
    return refuse (why, "has bits that are not permissions");
  if ((mode & 0400) == 0)
    return refuse (why, "does not let the owner read");
  return TRUE;
}

gboolean
pyro_check_user (gchar **text, gchar **note, gchar **why)
{
  g_strstrip (*text);
  if (strchr (*text, ':') != NULL)
    return refuse (why, "has a ':', which ends the user's name (RFC 7617)");
  return pyro_check_password (text, note, why);
}

gboolean
pyro_check_password (gchar **text, gchar **note, gchar **why)
{
  if (pyro_has_control (*text))
    return refuse (why, "has a control character, perhaps a line's end");
  return TRUE;
}

gboolean
pyro_check_token (gchar **text, gchar **note, gchar **why)
{
  g_strstrip (*text);
  for (const gchar *p = *text; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      return refuse (why, "has a blank, a control character or no ASCII in it");
  return TRUE;
}
