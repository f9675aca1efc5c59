/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push-target.h"
#include "log.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define PUSH_PATH "push.v1.PusherService/Push"
#define MAX_LINE_CHARS 300
/* Shorter tenants and header values are found in any text. */
#define MIN_VAGUE_SECRET 4
#define MAX_SECRET_BYTES (64 * 1024)

GQuark
pyro_push_target_error_quark (void)
{
  return g_quark_from_static_string ("pyro-push-target-error");
}

static gboolean
is_set (const gchar *text)
{
  return text != NULL && text[0] != '\0';
}

static gchar *
copy_if_set (const gchar *text)
{
  return is_set (text) ? g_strdup (text) : NULL;
}

static gchar *
url_part (CURLU *url, CURLUPart what, guint flags)
{
  char *part = NULL;
  gchar *copy = NULL;

  if (curl_url_get (url, what, &part, flags) == CURLUE_OK)
    copy = g_strdup (part);
  curl_free (part);
  return copy;
}

/* Escape sequences and line breaks are means to deceive who reads a log. */
static gchar *
one_line (const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  GString *line = g_string_new (NULL);
  glong chars = 0;

  for (const gchar *c = valid; *c != '\0'; c = g_utf8_next_char (c)) {
    gunichar character = g_utf8_get_char (c);

    if (++chars > MAX_LINE_CHARS) {
      g_string_append (line, "...");
      break;
    }
    g_string_append_unichar (line,
                             g_unichar_isprint (character) ? character : ' ');
  }
  return g_strstrip (g_string_free (line, FALSE));
}

gchar *
pyro_push_target_display_url (const gchar *url)
{
  g_autofree gchar *before_query = g_strndup (url, strcspn (url, "?#"));
  g_autofree gchar *shown = one_line (before_query);
  /* A password may hold any character, '/' too when it is typed in by hand:
   * everything up to the last '@' may be part of one. A '@' in a path only
   * makes the message shorter. */
  const gchar *host = strrchr (shown, '@');
  const gchar *scheme_end = strstr (shown, "://");

  if (host == NULL)
    return g_strdup (shown);
  if (scheme_end == NULL || scheme_end > host)
    return g_strconcat ("***", host, NULL);
  return g_strdup_printf ("%.*s://***%s", (int)(scheme_end - shown), shown,
                          host);
}

static void
add_secret (PyroPushTarget *target, const gchar *secret, gsize min_length)
{
  if (secret != NULL && strlen (secret) >= min_length)
    g_ptr_array_add (target->secrets, g_strdup (secret));
}

/* A gateway may take its key as "?key=value". */
static void
add_query_secrets (PyroPushTarget *target, const gchar *query)
{
  g_auto (GStrv) pairs = g_strsplit (query ? query : "", "&", -1);

  for (guint i = 0; pairs[i] != NULL; i++) {
    const gchar *equals = strchr (pairs[i], '=');
    const gchar *value = equals ? equals + 1 : pairs[i];
    g_autofree gchar *decoded = g_uri_unescape_string (value, NULL);

    add_secret (target, value, MIN_VAGUE_SECRET);
    add_secret (target, decoded, MIN_VAGUE_SECRET);
  }
}

/* Sets the Push call's path below URL's own, however many slashes end it. */
static CURLUcode
append_push_path (CURLU *url)
{
  g_autofree gchar *base = url_part (url, CURLUPART_PATH, 0);
  g_autofree gchar *path = NULL;
  gsize length = base ? strlen (base) : 0;

  while (length > 0 && base[length - 1] == '/')
    length--;
  path = g_strdup_printf ("%.*s/" PUSH_PATH, (int)length, base ? base : "");
  return curl_url_set (url, CURLUPART_PATH, path, 0);
}

/* Fills url, display and what server-url says of user and password. */
static gboolean
read_url (PyroPushTarget *target, const gchar *server_url, GError **error)
{
  g_autofree gchar *shown = pyro_push_target_display_url (server_url);
  g_autofree gchar *trimmed = g_strstrip (g_strdup (server_url));
  g_autofree gchar *scheme = NULL;
  g_autofree gchar *query = NULL;
  CURLU *url = curl_url ();
  CURLUcode code;

  /* "localhost:4040" is http, as in the agents. */
  code = curl_url_set (url, CURLUPART_URL, trimmed, CURLU_GUESS_SCHEME);
  if (code == CURLUE_OK) {
    scheme = url_part (url, CURLUPART_SCHEME, 0);
    if (g_strcmp0 (scheme, "http") != 0 && g_strcmp0 (scheme, "https") != 0)
      code = CURLUE_UNSUPPORTED_SCHEME;
  }
  if (code == CURLUE_OK) {
    target->user = url_part (url, CURLUPART_USER, CURLU_URLDECODE);
    target->password = url_part (url, CURLUPART_PASSWORD, CURLU_URLDECODE);
    curl_url_set (url, CURLUPART_USER, NULL, 0);
    curl_url_set (url, CURLUPART_PASSWORD, NULL, 0);
    curl_url_set (url, CURLUPART_FRAGMENT, NULL, 0);
    query = url_part (url, CURLUPART_QUERY, 0);
    add_query_secrets (target, query);
    code = append_push_path (url);
  }
  if (code == CURLUE_OK) {
    target->url = url_part (url, CURLUPART_URL, 0);
    target->display = g_steal_pointer (&shown);
  } else {
    g_set_error (error, PYRO_PUSH_TARGET_ERROR, PYRO_PUSH_TARGET_ERROR_URL,
                 "server-url=%s is no http or https URL (%s)", shown,
                 curl_url_strerror (code));
  }
  curl_url_cleanup (url);
  return code == CURLUE_OK;
}

static gboolean
is_header_name (const gchar *name)
{
  /* RFC 9110, 5.6.2: token. */
  if (name[0] == '\0')
    return FALSE;
  for (; *name != '\0'; name++) {
    if (!g_ascii_isalnum (*name) && !strchr ("!#$%&'*+-.^_`|~", *name))
      return FALSE;
  }
  return TRUE;
}

static gboolean
is_header_value (const gchar *value)
{
  return strpbrk (value, "\r\n") == NULL;
}

/* Those that say how the body is read: another value breaks every request. */
static gboolean
is_reserved_header (const gchar *name)
{
  static const gchar *const reserved[]
      = { "Content-Type",      "Content-Encoding", "Content-Length",
          "Transfer-Encoding", "Expect",           NULL };

  for (guint i = 0; reserved[i] != NULL; i++) {
    if (g_ascii_strcasecmp (name, reserved[i]) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_header (GPtrArray *lines, const gchar *name)
{
  gsize length = strlen (name);

  for (guint i = 0; i < lines->len; i++) {
    const gchar *line = lines->pdata[i];

    if (g_ascii_strncasecmp (line, name, length) == 0
        && (line[length] == ':' || line[length] == ';'))
      return TRUE;
  }
  return FALSE;
}

static void
add_header (GPtrArray *lines, const gchar *name, const gchar *value)
{
  if (has_header (lines, name))
    return;
  /* libcurl takes "Name:" as a wish to leave the header out. */
  if (value[0] == '\0')
    g_ptr_array_add (lines, g_strconcat (name, ";", NULL));
  else
    g_ptr_array_add (lines, g_strconcat (name, ": ", value, NULL));
}

static void
add_user_headers (PyroPushTarget *target, GPtrArray *lines,
                  const GArray *headers)
{
  for (guint i = 0; headers != NULL && i < headers->len; i++) {
    const PyroLabel *header = &g_array_index (headers, PyroLabel, i);

    if (!is_header_name (header->key) || !is_header_value (header->value)) {
      pyro_log_user (GST_LEVEL_WARNING,
                     "http-headers: header %u is left out: its name or value "
                     "has characters that no HTTP header may have",
                     i + 1);
    } else if (is_reserved_header (header->key)) {
      pyro_log_user (GST_LEVEL_WARNING,
                     "http-headers: %s is left out: the push sets it itself",
                     header->key);
    } else {
      add_header (lines, header->key, header->value);
      add_secret (target, header->value, MIN_VAGUE_SECRET);
    }
  }
}

/* A header of http-headers comes before a setting of its own, and a token
 * before a user: each is said once. */
static void
read_headers (PyroPushTarget *target, const PyroSettings *settings)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  add_user_headers (target, lines, settings->header_list);

  if (is_set (settings->auth_token)) {
    add_secret (target, settings->auth_token, 1);
    if (!is_header_value (settings->auth_token)) {
      pyro_log_user (GST_LEVEL_WARNING, "auth-token is left out: it has a "
                                        "line break in it");
    } else {
      g_autofree gchar *value
          = g_strconcat ("Bearer ", settings->auth_token, NULL);

      if (target->user != NULL)
        pyro_log_user (GST_LEVEL_WARNING,
                       "auth-token and a user for basic auth are both set: "
                       "auth-token is used; set only one of them");
      add_header (lines, "Authorization", value);
    }
  }
  if (has_header (lines, "Authorization")) {
    g_clear_pointer (&target->user, g_free);
    g_clear_pointer (&target->password, g_free);
  }
  if (is_set (settings->tenant_id)) {
    add_secret (target, settings->tenant_id, MIN_VAGUE_SECRET);
    if (is_header_value (settings->tenant_id))
      add_header (lines, "X-Scope-OrgID", settings->tenant_id);
    else
      pyro_log_user (GST_LEVEL_WARNING,
                     "tenant-id is left out: it has a line break in it");
  }
  add_header (lines, "User-Agent", "gst-pyroscope/" PYRO_VERSION);
  add_header (lines, "Content-Type", "application/proto");
  add_header (lines, "Connect-Protocol-Version", "1");
  /* Without this libcurl waits up to a second for a "100 Continue" before a
   * large body. */
  g_ptr_array_add (lines, g_strdup ("Expect:"));

  g_ptr_array_add (lines, NULL);
  target->headers
      = (gchar **)g_ptr_array_free (g_steal_pointer (&lines), FALSE);
}

static void
add_basic_secrets (PyroPushTarget *target)
{
  if (target->user != NULL || target->password != NULL) {
    g_autofree gchar *pair
        = g_strconcat (target->user ? target->user : "", ":",
                       target->password ? target->password : "", NULL);
    g_autofree gchar *base64
        = g_base64_encode ((const guchar *)pair, strlen (pair));

    add_secret (target, target->user, MIN_VAGUE_SECRET);
    add_secret (target, target->password, 1);
    add_secret (target, base64, MIN_VAGUE_SECRET);
  }
}

static void
read_basic_auth (PyroPushTarget *target, const PyroSettings *settings)
{
  if (is_set (settings->basic_auth_user)
      || is_set (settings->basic_auth_password)) {
    add_secret (target, target->password, 1);
    g_free (target->user);
    g_free (target->password);
    target->user
        = g_strdup (settings->basic_auth_user ? settings->basic_auth_user : "");
    target->password = g_strdup (
        settings->basic_auth_password ? settings->basic_auth_password : "");
  }
  add_basic_secrets (target);
}

/* A proxy is of no use to a server on this machine: with http_proxy set the
 * default server-url would end there. */
static gboolean
is_loopback (const gchar *url)
{
  CURLU *parsed = curl_url ();
  g_autofree gchar *host = NULL;

  if (curl_url_set (parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
    host = url_part (parsed, CURLUPART_HOST, 0);
  curl_url_cleanup (parsed);
  return host != NULL
         && (g_ascii_strcasecmp (host, "localhost") == 0
             || g_str_has_prefix (host, "127.") || strcmp (host, "[::1]") == 0);
}

/* The names that libcurl looks at, in its order: HTTP_PROXY in capitals is not
 * one of them, since a CGI's client can set that. */
static void
read_proxy (PyroPushTarget *target)
{
  static const gchar *const https_names[]
      = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
  static const gchar *const http_names[]
      = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
  const gchar *const *names
      = g_str_has_prefix (target->url, "https:") ? https_names : http_names;
  const gchar *no_proxy = g_getenv ("no_proxy");
  g_autofree gchar *password = NULL;
  CURLU *url = curl_url ();

  for (; *names != NULL && target->proxy == NULL && !is_loopback (target->url);
       names++) {
    if (is_set (g_getenv (*names)))
      target->proxy = g_strdup (g_getenv (*names));
  }
  if (target->proxy == NULL)
    target->proxy = g_strdup ("");
  target->proxy_display = pyro_push_target_display_url (target->proxy);
  if (curl_url_set (url, CURLUPART_URL, target->proxy, CURLU_GUESS_SCHEME)
      == CURLUE_OK)
    password = url_part (url, CURLUPART_PASSWORD, CURLU_URLDECODE);
  curl_url_cleanup (url);
  add_secret (target, password, 1);
  if (no_proxy == NULL)
    no_proxy = g_getenv ("NO_PROXY");
  target->no_proxy = g_strdup (no_proxy ? no_proxy : "");
}

/* ----------------------------------------------------- files of secrets -- */

/* A file that a token's renewal has put there may be half written, or gone for
 * a moment: then what was read last still counts. NULL: nothing new. (transfer
 * full) */
static gchar *
read_secret (PyroSecretFile *file, const gchar *setting)
{
  struct stat now;
  g_autoptr (GError) error = NULL;
  gchar *content = NULL;
  int code = 0;

  if (file->path == NULL)
    return NULL;
  if (stat (file->path, &now) != 0)
    code = errno;
  else if (file->is_read && now.st_ino == file->seen.st_ino
           && now.st_dev == file->seen.st_dev
           && now.st_size == file->seen.st_size
           && now.st_mtim.tv_sec == file->seen.st_mtim.tv_sec
           && now.st_mtim.tv_nsec == file->seen.st_mtim.tv_nsec)
    return NULL;
  else if (now.st_size > MAX_SECRET_BYTES)
    code = EFBIG;
  else if (!g_file_get_contents (file->path, &content, NULL, &error))
    code = EACCES;
  if (content != NULL) {
    content[strcspn (content, "\r\n")] = '\0';
    g_strstrip (content);
    file->seen = now;
    file->is_read = content[0] != '\0';
    if (!file->is_read)
      code = ENODATA;
  }
  if (code != 0) {
    g_free (content);
    if (code != file->error)
      pyro_log_user (GST_LEVEL_WARNING, "%s=%s cannot be read: %s; %s", setting,
                     file->path, g_strerror (code),
                     file->is_read ? "what it held before is still used"
                                   : "pushes go without it");
    file->error = code;
    return NULL;
  }
  file->error = 0;
  return content;
}

static void
set_authorization (PyroPushTarget *target, const gchar *value)
{
  static const gchar name[] = "Authorization: ";
  guint n = g_strv_length (target->headers);

  for (guint i = 0; i < n; i++) {
    if (!g_str_has_prefix (target->headers[i], name))
      continue;
    g_free (target->headers[i]);
    target->headers[i] = g_strconcat (name, value, NULL);
    return;
  }
  target->headers = g_renew (gchar *, target->headers, n + 2);
  target->headers[n] = g_strconcat (name, value, NULL);
  target->headers[n + 1] = NULL;
}

void
pyro_push_target_refresh (PyroPushTarget *target)
{
  g_autofree gchar *token
      = read_secret (&target->token_file, "auth-token-file");
  g_autofree gchar *password
      = read_secret (&target->password_file, "basic-auth-password-file");

  if (token != NULL) {
    g_autofree gchar *value = g_strconcat ("Bearer ", token, NULL);

    add_secret (target, token, 1);
    set_authorization (target, value);
  }
  if (password != NULL) {
    g_free (target->password);
    target->password = g_steal_pointer (&password);
    add_basic_secrets (target);
  }
}

/* Whoever is on the way reads it. */
static void
warn_of_plain_text (const PyroPushTarget *target, const PyroSettings *settings)
{
  gboolean has_secret = target->user != NULL || target->password != NULL
                        || target->token_file.path != NULL
                        || target->password_file.path != NULL
                        || is_set (settings->auth_token);

  for (guint i = 0; target->headers[i] != NULL && !has_secret; i++)
    has_secret
        = g_ascii_strncasecmp (target->headers[i], "Authorization:", 14) == 0;
  if (has_secret && g_str_has_prefix (target->url, "http:")
      && !is_loopback (target->url))
    pyro_log_user (GST_LEVEL_WARNING,
                   "server-url=%s: the credentials are sent to another host "
                   "without encryption; use https",
                   target->display);
}

PyroPushTarget *
pyro_push_target_new (const PyroSettings *settings, GError **error)
{
  g_autoptr (PyroPushTarget) target = g_new0 (PyroPushTarget, 1);

  target->secrets = g_ptr_array_new_with_free_func (g_free);
  if (!read_url (target, settings->server_url, error))
    return NULL;
  read_basic_auth (target, settings);
  read_headers (target, settings);
  read_proxy (target);
  target->ca_file = copy_if_set (settings->ca_file);
  target->client_cert_file = copy_if_set (settings->client_cert_file);
  target->client_key_file = copy_if_set (settings->client_key_file);
  target->token_file.path = copy_if_set (settings->auth_token_file);
  if (target->token_file.path == NULL)
    target->password_file.path
        = copy_if_set (settings->basic_auth_password_file);
  pyro_push_target_refresh (target);
  warn_of_plain_text (target, settings);
  return g_steal_pointer (&target);
}

void
pyro_push_target_free (PyroPushTarget *target)
{
  if (target == NULL)
    return;
  g_free (target->url);
  g_free (target->display);
  g_free (target->user);
  g_free (target->password);
  g_strfreev (target->headers);
  g_free (target->ca_file);
  g_free (target->client_cert_file);
  g_free (target->client_key_file);
  g_free (target->token_file.path);
  g_free (target->password_file.path);
  g_free (target->proxy);
  g_free (target->proxy_display);
  g_free (target->no_proxy);
  g_ptr_array_unref (target->secrets);
  g_free (target);
}

gchar *
pyro_push_target_clean (const PyroPushTarget *target, const gchar *text)
{
  for (guint i = 0; i < target->secrets->len; i++) {
    if (strstr (text, target->secrets->pdata[i]) != NULL)
      return g_strdup ("(text withheld: it repeats a credential)");
  }

  return one_line (text);
}
