/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file-list.h"
#include "inspect-error.h"
#include "profile/gzip.h"
#include "pushing.h"
#include "quantity.h"
#include "settings/table.h"
#include "text.h"

#define DEFAULT_PATIENCE 60
#define MAX_PATIENCE (24 * 3600)

/* The options that are settings of the tracer's, too: what is not given comes
 * from the same environment variables. */
static const struct {
  const gchar *option;
  const gchar *setting;
  const gchar *argument;
  const gchar *help;
  gboolean is_label; /* it replaces labels that a capture has */
} shared[] = {
  { "server-address", "server-url", "URL",
    "The server (default: http://localhost:4040)", FALSE },
  { "tracer-name", "tracer-name", "NAME",
    "The service's name (default: each capture's own)", TRUE },
  { "tags", "tags", "NAME=VALUE,...",
    "More labels, which replace a capture's own of these names", TRUE },
  { "tenant-id", "tenant-id", "ID", "The tenant of a server for several",
    FALSE },
  { "basic-auth-user", "basic-auth-user", "USER", "For basic authentication",
    FALSE },
  { "basic-auth-password-file", "basic-auth-password-file", "FILE",
    "Its first line is the password", FALSE },
  { "auth-token-file", "auth-token-file", "FILE",
    "Its first line is a bearer token", FALSE },
  { "http-headers", "http-headers", "NAME=VALUE,...",
    "More headers for each request", FALSE },
  { "ca-file", "ca-file", "FILE",
    "Authorities that are trusted (default: the system's)", FALSE },
  { "client-cert-file", "client-cert-file", "FILE",
    "The certificate that the server asks for", FALSE },
  { "client-key-file", "client-key-file", "FILE",
    "Its key, where it is not in that file", FALSE },
};

#define N_SHARED G_N_ELEMENTS (shared)

typedef struct {
  gchar *values[N_SHARED]; /* NULL: not given */
  gint patience;
  gchar **paths;
} Push;

static gboolean
parse (Push *push, int argc, char **argv)
{
  GOptionEntry entries[N_SHARED + 3] = { 0 };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_SHARED; i++)
    entries[i] = (GOptionEntry){ shared[i].option,
                                 0,
                                 0,
                                 G_OPTION_ARG_STRING,
                                 &push->values[i],
                                 shared[i].help,
                                 shared[i].argument };
  entries[N_SHARED] = (GOptionEntry){
    "timeout",
    0,
    0,
    G_OPTION_ARG_INT,
    &push->patience,
    "How long a server that takes nothing is tried (default: 60)",
    "SECONDS"
  };
  entries[N_SHARED + 1] = (GOptionEntry){
    G_OPTION_REMAINING, 0,    0,        G_OPTION_ARG_FILENAME_ARRAY,
    &push->paths,       NULL, "PATH..."
  };
  g_set_prgname ("gst-pyroscope-inspect push");
  g_option_context_set_summary (
      context, "Sends captures to a Pyroscope server, as the tracer would "
               "have.");
  g_option_context_set_description (
      context,
      "Paths are files or folders, as for the other commands; the profiles of "
      "other tools\nare sent, too, with the labels that are given here. A "
      "capture that is sent twice\ncounts once in the end. Servers refuse, by "
      "default, what is older than an hour.\n\n"
      "The exit status is 0 if the server has taken all, else 1. What is not "
      "given comes\nfrom the tracer's environment variables "
      "(GST_PYROSCOPE_TENANT_ID, PYROSCOPE_TENANT_ID\nand so on), secrets "
      "among them.\n\n"
      "Example:\n"
      "  gst-pyroscope-inspect push --server-address "
      "http://pyroscope:4040 captures/");
  g_option_context_add_main_entries (context, entries, NULL);
  push->patience = DEFAULT_PATIENCE;
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  if (push->patience < 0 || push->patience > MAX_PATIENCE) {
    pyro_report ("--timeout %d is not between 0 and %d seconds", push->patience,
                 MAX_PATIENCE);
    return FALSE;
  }
  if (push->paths == NULL) {
    pyro_report ("no file or folder is given (see --help)");
    return FALSE;
  }
  return TRUE;
}

/* The options as what the settings are read from, and nothing else of it: a
 * sample rate in the environment is not ours to judge. (transfer full) */
static gchar **
make_environment (const Push *push)
{
  g_auto (GStrv) all = g_get_environ ();
  gchar **environment = NULL;

  for (guint i = 0; i < N_SHARED; i++) {
    const PyroSetting *setting = pyro_setting_find (shared[i].setting);
    g_autofree gchar *name = pyro_setting_environment_name (setting);
    g_autofree gchar *agents = pyro_setting_agent_name (setting);
    const gchar *names[] = { name, agents };

    if (push->values[i] != NULL) {
      environment = g_environ_setenv (environment, name, push->values[i], TRUE);
      continue;
    }
    for (guint k = 0; k < G_N_ELEMENTS (names) && !shared[i].is_label; k++)
      if (names[k] != NULL && g_environ_getenv (all, names[k]) != NULL)
        environment = g_environ_setenv (environment, names[k],
                                        g_environ_getenv (all, names[k]), TRUE);
  }
  /* Secrets that are no option: a command line can be read by anybody. */
  for (guint i = 0; all[i] != NULL; i++) {
    static const gchar *const secrets[]
        = { "GST_PYROSCOPE_AUTH_TOKEN=", "GST_PYROSCOPE_BASIC_AUTH_PASSWORD=",
            "PYROSCOPE_AUTH_TOKEN=", "PYROSCOPE_BASIC_AUTH_PASSWORD=" };

    for (guint k = 0; k < G_N_ELEMENTS (secrets); k++) {
      g_autofree gchar *name = NULL;

      if (!g_str_has_prefix (all[i], secrets[k]))
        continue;
      name = g_strndup (secrets[k], strlen (secrets[k]) - 1);
      environment = g_environ_setenv (environment, name,
                                      all[i] + strlen (secrets[k]), TRUE);
    }
  }
  return environment;
}

/* What is wrong with an option is an error here, not a reason to go on with
 * something else. (transfer full) */
static PyroSettings *
make_settings (const Push *push)
{
  g_auto (GStrv) environment = make_environment (push);
  g_autoptr (GPtrArray) messages = pyro_settings_messages_new ();
  g_autoptr (PyroSettings) settings
      = pyro_settings_new (NULL, environment, messages);
  gboolean right = TRUE;

  for (guint i = 0; i < messages->len; i++) {
    const PyroSettingsMessage *message = messages->pdata[i];
    g_autoptr (GString) text = g_string_new (message->text);

    for (guint k = 0; k < N_SHARED; k++) {
      g_autofree gchar *option = g_strconcat ("--", shared[k].option, NULL);
      g_autofree gchar *name = pyro_setting_environment_name (
          pyro_setting_find (shared[k].setting));

      if (push->values[k] != NULL)
        g_string_replace (text, name, option, 0);
    }
    pyro_report ("%s", text->str);
    right = right && message->level != PYRO_MESSAGE_WARNING;
  }
  if (right && *settings->server_url == '\0') {
    pyro_report ("--server-address is empty: it is the server's address, such "
                 "as http://localhost:4040");
    right = FALSE;
  }
  return right ? g_steal_pointer (&settings) : NULL;
}

/* The labels that were asked for here. (transfer full) */
static GArray *
make_overrides (const Push *push, const PyroSettings *settings)
{
  GArray *overrides = g_array_new (FALSE, FALSE, sizeof (PyroLabel));

  for (guint i = 0; i < N_SHARED; i++) {
    PyroLabel name = { "service_name", settings->tracer_name };

    if (push->values[i] == NULL || !shared[i].is_label)
      continue;
    if (strcmp (shared[i].setting, "tracer-name") == 0)
      g_array_append_val (overrides, name);
    else
      g_array_append_vals (overrides, settings->tag_list->data,
                           settings->tag_list->len);
  }
  return overrides;
}

/* FALSE where something could not be read, which was reported. */
static gboolean
list_files (gchar *const *paths, GPtrArray *files)
{
  gboolean complete = TRUE;

  for (; *paths != NULL; paths++) {
    guint n = files->len;

    if (!g_file_test (*paths, G_FILE_TEST_IS_DIR)) {
      g_ptr_array_add (files, g_strdup (*paths));
      continue;
    }
    complete = pyro_file_list_add_folder (files, *paths) && complete;
    if (files->len == n) {
      pyro_report ("%s: no profile in this folder (*.pb.gz, *.pb, *.pprof)",
                   *paths);
      complete = FALSE;
    }
  }
  return complete;
}

static gboolean
add_file (PyroPushing *pushing, const gchar *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes
      = pyro_file_read (path, PYRO_PROFILE_MAX_SIZE, &error);
  g_autoptr (GBytes) pprof = NULL;
  g_autoptr (PyroProfile) profile = NULL;

  if (bytes != NULL)
    pprof = pyro_is_gzip (bytes)
                ? pyro_gunzip (bytes, PYRO_PROFILE_MAX_SIZE, &error)
                : g_bytes_ref (bytes);
  if (pprof != NULL)
    profile = pyro_profile_decode (pprof, NULL, &error);
  if (profile != NULL
      && pyro_pushing_add (pushing, path, profile, pprof, &error))
    return TRUE;
  pyro_report ("%s: %s", path, error->message);
  return FALSE;
}

static void
show_progress (PyroPushing *pushing, guint n_files)
{
  PyroPushingStats stats;
  g_autofree gchar *bytes = NULL;

  if (!isatty (STDERR_FILENO))
    return;
  pyro_pushing_get_stats (pushing, &stats);
  bytes = pyro_quantity_to_string ((gint64)stats.bytes, "bytes");
  fprintf (stderr, "\r\033[K%" G_GUINT64_FORMAT " of %u profiles, %s",
           stats.taken + stats.refused, n_files, bytes);
}

static void
hide_progress (void)
{
  if (isatty (STDERR_FILENO))
    fputs ("\r\033[K", stderr);
}

static void
print_result (const PyroPushingStats *stats, const gchar *address,
              guint n_unread)
{
  g_autofree gchar *bytes
      = pyro_quantity_to_string ((gint64)stats->bytes, "bytes");

  printf ("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
          " profiles taken by %s (%s)",
          stats->taken, stats->profiles + n_unread, address, bytes);
  if (stats->split > 0)
    printf (", %" G_GUINT64_FORMAT " in parts", stats->split);
  if (stats->sent_again > 0)
    printf (", %" G_GUINT64_FORMAT " requests sent again", stats->sent_again);
  if (stats->refused > 0)
    printf (", %" G_GUINT64_FORMAT " refused", stats->refused);
  if (stats->not_sent > 0)
    printf (", %" G_GUINT64_FORMAT " not sent", stats->not_sent);
  if (n_unread > 0)
    printf (", %u not read", n_unread);
  printf ("\n");
}

/* TRUE: the server has taken all. */
static gboolean
run (const Push *push, const PyroSettings *settings)
{
  g_autoptr (GArray) overrides = make_overrides (push, settings);
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  gboolean complete = list_files (push->paths, files);
  g_autofree gchar *address = NULL;
  PyroPushingStats stats;
  PyroPushing *pushing;
  guint n_unread = 0;

  if (files->len == 0)
    return FALSE;
  pushing
      = pyro_pushing_new (settings, overrides, (guint)push->patience, &error);
  if (pushing == NULL) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  address = g_strdup (pyro_pushing_get_address (pushing));
  for (guint i = 0; i < files->len; i++) {
    if (pyro_pushing_is_over (pushing) || !add_file (pushing, files->pdata[i]))
      n_unread++;
    show_progress (pushing, files->len);
  }
  while (!pyro_pushing_wait (pushing, 500))
    show_progress (pushing, files->len);
  hide_progress ();
  pyro_pushing_finish (pushing, &stats);
  print_result (&stats, address, n_unread);
  return complete && n_unread == 0 && stats.taken == stats.profiles;
}

int
pyro_cmd_push (int argc, char **argv)
{
  Push push = { 0 };
  g_autoptr (PyroSettings) settings = NULL;
  gboolean right = FALSE;

  if (parse (&push, argc, argv))
    settings = make_settings (&push);
  if (settings != NULL)
    right = run (&push, settings);
  for (guint i = 0; i < N_SHARED; i++)
    g_free (push.values[i]);
  g_strfreev (push.paths);
  return right ? 0 : 1;
}
