/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings/table.h"
#include "settings/check.h"

#define FIELD(f) G_STRUCT_OFFSET (PyroSettings, f)

static const PyroSetting table[] = {
  { .name = "server-url",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (server_url),
    .fallback = "http://localhost:4040",
    .alias = "SERVER_ADDRESS",
    .check = pyro_check_url,
    .allowed = "http://HOST[:PORT][/PATH], the same with https, or empty",
    .help = "The Pyroscope server to push profiles to; empty: none. A user "
            "and password in it count as basic-auth-user and "
            "basic-auth-password." },
  { .name = "tracer-name",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (tracer_name),
    .fallback = "gst.pyroscope",
    .alias = "APPLICATION_NAME",
    .check = pyro_check_service_name,
    .allowed = "1 to 2048 bytes of UTF-8",
    .help = "The name of this application in Pyroscope: the label "
            "service_name." },
  { .name = "sample-rate",
    .type = PYRO_SETTING_UINT,
    .offset = FIELD (sample_rate),
    .fallback = "100",
    .min = 1,
    .max = 1000,
    .unit = "Hz",
    .help = "How many samples a thread yields for each second of CPU time." },
  { .name = "stop-agent-on-dispose",
    .type = PYRO_SETTING_BOOL,
    .offset = FIELD (stop_agent_on_dispose),
    .fallback = "true",
    .help = "Whether profiling stops, and what is left is delivered, when the "
            "tracer is disposed of, which gst_deinit() does." },
  { .name = "tags",
    .type = PYRO_SETTING_PAIRS,
    .offset = FIELD (tags),
    .list_offset = FIELD (tag_list),
    .fallback = "",
    .alias = "LABELS",
    .allowed = "NAME=VALUE,NAME=VALUE, a name of letters, digits and _",
    .help = "Labels on every profile." },
  { .name = "output-dir",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (output_dir),
    .fallback = "",
    .check = pyro_check_directory,
    .allowed = "a directory's path, or empty",
    .help = "Where to write profiles as files (*.pb.gz), with or without a "
            "server; empty: nowhere. A leading ~/ is the home directory; what "
            "is relative is so to the directory the tracer started in." },
  { .name = "output-max-bytes",
    .type = PYRO_SETTING_UINT,
    .offset = FIELD (output_max_bytes),
    .fallback = "1073741824",
    .min = 0,
    .max = G_MAXUINT,
    .unit = "bytes",
    .help = "How much room this service's files in output-dir may take; of "
            "more, the oldest are removed. 0: no bound." },
  { .name = "output-mode",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (output_mode),
    .fallback = "0600",
    .check = pyro_check_mode,
    .allowed = "octal digits from 0400 to 0777",
    .help = "The permissions of the files in output-dir, whatever the umask: "
            "0640 or 0644 for a collector that runs as another user." },
  { .name = "spool-dir",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (spool_dir),
    .fallback = "",
    .check = pyro_check_directory,
    .allowed = "a directory's path, or empty",
    .help = "Where profiles wait for the server, also when the process has "
            "ended or was killed: the next one with this tracer-name and "
            "server-url sends them. Several processes may share it. Empty: "
            "they wait in memory. Paths are as those of output-dir." },
  { .name = "spool-max-bytes",
    .type = PYRO_SETTING_UINT,
    .offset = FIELD (spool_max_bytes),
    .fallback = "268435456",
    .min = 1048576,
    .max = G_MAXUINT,
    .unit = "bytes",
    .help = "How much may wait in spool-dir; of more, the oldest are "
            "dropped." },
  { .name = "queue-max-bytes",
    .type = PYRO_SETTING_UINT,
    .offset = FIELD (queue_max_bytes),
    .fallback = "33554432",
    .min = 1048576,
    .max = 1073741824,
    .unit = "bytes",
    .help = "How much memory profiles that wait for the server or the disk may "
            "take; of more, the oldest are dropped." },
  { .name = "upload-interval",
    .type = PYRO_SETTING_SECONDS,
    .offset = FIELD (upload_interval),
    .fallback = "10",
    .alias = "UPLOAD_INTERVAL",
    .min = 1,
    .max = 1800,
    .help = "How much time one profile covers. A server refuses a profile that "
            "began an hour ago." },
  { .name = "profiles",
    .type = PYRO_SETTING_FLAGS,
    .offset = FIELD (profiles),
    .fallback = "cpu",
    .min = 1,
    .gtype = pyro_profile_flags_get_type,
    .help = "What to profile." },
  { .name = "labels",
    .type = PYRO_SETTING_FLAGS,
    .offset = FIELD (labels),
    .fallback = "pipeline,path,element,factory,thread,attribution",
    .gtype = pyro_label_flags_get_type,
    .help = "The labels on each sample. Fewer of them make fewer series on "
            "the server." },
  { .name = "max-label-sets",
    .type = PYRO_SETTING_UINT,
    .offset = FIELD (max_label_sets),
    .fallback = "500",
    .min = 1,
    .max = 10000,
    .unit = "sets",
    .help = "How many different sets of sample labels the profiles of an hour "
            "may have. Of more, those that used the CPU least lose the numbers "
            "of generated names, \"queue12\" becomes \"queue\"; where there "
            "are still as many, names become \"(others)\"." },
  { .name = "element-frames",
    .type = PYRO_SETTING_BOOL,
    .offset = FIELD (element_frames),
    .fallback = "false",
    .help = "Whether each stack begins with the pipeline, the bins and the "
            "element, so that any flame graph groups by element." },
  { .name = "thread-owners",
    .type = PYRO_SETTING_BOOL,
    .offset = FIELD (thread_owners),
    .fallback = "true",
    .help = "Whether the threads that codecs and elements make themselves, and "
            "the tasks of thread pools, count for the element that started "
            "them. For this, calls of pthread_create() and of GLib's thread "
            "pools in the loaded libraries are led through the tracer, which "
            "stays in their way, doing nothing, after it has stopped; so are "
            "calls about signals, for threads that block all of them to have "
            "stacks. Without it, a thread counts for an element only if no "
            "other uses the same library." },
  { .name = "unwinder",
    .type = PYRO_SETTING_ENUM,
    .offset = FIELD (unwinder),
    .fallback = "auto",
    .gtype = pyro_unwinder_kind_get_type,
    .help = "What walks the stacks. libunwind is for comparison: it takes the "
            "loader's lock in the signal handler, where a thread can wait for "
            "itself." },
  { .name = "symbols",
    .type = PYRO_SETTING_ENUM,
    .offset = FIELD (symbols),
    .fallback = "local",
    .gtype = pyro_symbols_kind_get_type,
    .help = "Who names functions. With server and none profiles have addresses "
            "and build ids, and no file is read for names: for a server whose "
            "symbolizer is enabled (one without shows no such frames), or for "
            "gst-pyroscope-inspect symbolize." },
  { .name = "debug-path",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (debug_path),
    .fallback = "/usr/lib/debug",
    .check = pyro_check_directories,
    .allowed = "directories' paths with ':' between them, or empty",
    .help = "Where debug information is looked for that is not in the "
            "libraries themselves: by build id (.build-id/ in each directory) "
            "and by the name that a library gives. Paths are as those of "
            "output-dir." },
  { .name = "stop-timeout",
    .type = PYRO_SETTING_SECONDS,
    .offset = FIELD (stop_timeout),
    .fallback = "5",
    .min = 0,
    .max = 60,
    .help = "How long a stop may take to deliver what is left." },
  { .name = "basic-auth-user",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (basic_auth_user),
    .fallback = "",
    .alias = "BASIC_AUTH_USER",
    .secret = TRUE,
    .check = pyro_check_user,
    .allowed = "text without ':' and control characters",
    .help = "The user for HTTP basic authentication; in Grafana Cloud the "
            "instance's number." },
  { .name = "basic-auth-password",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (basic_auth_password),
    .fallback = "",
    .alias = "BASIC_AUTH_PASSWORD",
    .secret = TRUE,
    .check = pyro_check_password,
    .allowed = "text without control characters",
    .help = "The password for HTTP basic authentication." },
  { .name = "auth-token",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (auth_token),
    .fallback = "",
    .alias = "AUTH_TOKEN",
    .secret = TRUE,
    .check = pyro_check_token,
    .allowed = "printable ASCII without spaces",
    .help = "The token for HTTP bearer authentication. It wins over "
            "basic-auth-user." },
  { .name = "basic-auth-password-file",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (basic_auth_password_file),
    .fallback = "",
    .check = pyro_check_directory,
    .allowed = "a file's path, or empty",
    .help = "A file that holds the password for HTTP basic authentication. It "
            "is read again when it changes. basic-auth-password wins." },
  { .name = "auth-token-file",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (auth_token_file),
    .fallback = "",
    .check = pyro_check_directory,
    .allowed = "a file's path, or empty",
    .help = "A file that holds the token for HTTP bearer authentication. It is "
            "read again when it changes, as tokens do. auth-token wins." },
  { .name = "tenant-id",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (tenant_id),
    .fallback = "",
    .alias = "TENANT_ID",
    .secret = TRUE,
    .check = pyro_check_token,
    .allowed = "printable ASCII without spaces",
    .help = "The tenant of a multi-tenant server: the header "
            "X-Scope-OrgID." },
  { .name = "http-headers",
    .type = PYRO_SETTING_PAIRS,
    .offset = FIELD (http_headers),
    .list_offset = FIELD (header_list),
    .fallback = "",
    .alias = "HTTP_HEADERS",
    .secret = TRUE,
    .allowed = "NAME=VALUE,NAME=VALUE or a JSON object of strings",
    .help = "Further headers of each request to the server." },
  { .name = "ca-file",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (ca_file),
    .fallback = "",
    .check = pyro_check_file,
    .allowed = "the path of a readable file, or empty",
    .help = "Certificate authorities (PEM) to trust for https; empty: the "
            "system's." },
  { .name = "client-cert-file",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (client_cert_file),
    .fallback = "",
    .check = pyro_check_file,
    .allowed = "the path of a readable file, or empty",
    .help = "The certificate (PEM) by which a server or a proxy knows this "
            "client, with those that it was issued by." },
  { .name = "client-key-file",
    .type = PYRO_SETTING_STRING,
    .offset = FIELD (client_key_file),
    .fallback = "",
    .check = pyro_check_file,
    .allowed = "the path of a readable file, or empty",
    .help = "The key (PEM) of client-cert-file; empty: it is in the same "
            "file." },
};

const PyroSetting *
pyro_setting_table (guint *n_settings)
{
  *n_settings = G_N_ELEMENTS (table);
  return table;
}

/* Case and '_' do not make another name. Transfer full. */
static gchar *
fold (const gchar *name, gboolean case_too)
{
  gchar *folded = case_too ? g_ascii_strdown (name, -1) : g_strdup (name);

  return g_strdelimit (folded, "_", '-');
}

const PyroSetting *
pyro_setting_find (const gchar *name)
{
  g_autofree gchar *folded = fold (name, FALSE);

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    if (strcmp (table[i].name, folded) == 0)
      return &table[i];
  return NULL;
}

/* Names above this length are like none; all of the table's are below. */
#define MAX_NAME 40

/* Edits (insert, delete, replace, swap neighbours) that make B of A: the
 * Damerau-Levenshtein distance, in its optimal string alignment form. Both are
 * at most MAX_NAME long. */
static guint
distance (const gchar *a, const gchar *b)
{
  guint rows[3][MAX_NAME + 1];
  guint *before = rows[0], *above = rows[1], *row = rows[2];
  gsize length_a = strlen (a), length_b = strlen (b);

  for (gsize j = 0; j <= length_b; j++)
    above[j] = j;
  for (gsize i = 1; i <= length_a; i++) {
    guint *last = before;

    row[0] = i;
    for (gsize j = 1; j <= length_b; j++) {
      guint cost = a[i - 1] == b[j - 1] ? 0 : 1;

      row[j] = MIN (MIN (above[j], row[j - 1]) + 1, above[j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = MIN (row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
    row = last;
  }
  return above[length_b];
}

const PyroSetting *
pyro_setting_nearest (const gchar *name, gboolean *is_misspelling)
{
  const PyroSetting *nearest = NULL, *similar = NULL;
  guint least = G_MAXUINT;
  gsize length = strlen (name);
  g_autofree gchar *folded = NULL;

  if (is_misspelling != NULL)
    *is_misspelling = FALSE;
  if (length < 2 || length > MAX_NAME)
    return NULL;
  folded = fold (name, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    guint edits = distance (folded, table[i].name);

    if (edits < least) {
      least = edits;
      nearest = &table[i];
    }
    if (similar == NULL && length >= 3
        && (strstr (table[i].name, folded) || strstr (folded, table[i].name)))
      similar = &table[i];
  }
  if (least <= (strlen (nearest->name) < 8 ? 1 : 2)) {
    if (is_misspelling != NULL)
      *is_misspelling = TRUE;
    return nearest;
  }
  if (similar != NULL)
    return similar;
  return least <= length / 2 ? nearest : NULL;
}

gchar *
pyro_setting_names (void)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", table[i].name);
  return g_string_free (names, FALSE);
}

gchar *
pyro_setting_environment_name (const PyroSetting *setting)
{
  g_autofree gchar *upper = g_ascii_strup (setting->name, -1);

  return g_strconcat ("GST_PYROSCOPE_", g_strdelimit (upper, "-", '_'), NULL);
}

gchar *
pyro_setting_agent_name (const PyroSetting *setting)
{
  if (setting->alias == NULL)
    return NULL;
  return g_strconcat ("PYROSCOPE_", setting->alias, NULL);
}

gboolean
pyro_setting_choice (const PyroSetting *setting, guint i,
                     PyroSettingChoice *choice)
{
  GType gtype = setting->gtype ();
  gpointer klass = g_type_class_ref (gtype);
  gboolean found = FALSE;

  if (G_TYPE_IS_FLAGS (gtype)) {
    const GFlagsClass *flags = klass;

    found = i < flags->n_values;
    if (found)
      *choice = (PyroSettingChoice){ flags->values[i].value,
                                     flags->values[i].value_nick,
                                     flags->values[i].value_name };
  } else {
    const GEnumClass *kinds = klass;

    found = i < kinds->n_values;
    if (found)
      *choice = (PyroSettingChoice){ kinds->values[i].value,
                                     kinds->values[i].value_nick,
                                     kinds->values[i].value_name };
  }
  g_type_class_unref (klass);
  return found;
}

static gchar *
join_nicks (const PyroSetting *setting)
{
  GString *nicks = g_string_new (NULL);
  PyroSettingChoice choice;

  for (guint i = 0; pyro_setting_choice (setting, i, &choice); i++)
    g_string_append_printf (nicks, "%s%s", i > 0 ? ", " : "", choice.nick);
  return g_string_free (nicks, FALSE);
}

gchar *
pyro_setting_allowed (const PyroSetting *setting)
{
  g_autofree gchar *nicks = NULL;

  switch (setting->type) {
  case PYRO_SETTING_STRING:
  case PYRO_SETTING_PAIRS:
    break;
  case PYRO_SETTING_UINT:
    return g_strdup_printf ("%u to %u %s", setting->min, setting->max,
                            setting->unit);
  case PYRO_SETTING_SECONDS:
    return g_strdup_printf ("%u to %u seconds", setting->min, setting->max);
  case PYRO_SETTING_BOOL:
    return g_strdup ("true or false");
  case PYRO_SETTING_FLAGS:
    nicks = join_nicks (setting);
    return g_strdup_printf (
        setting->min > 0 ? "one or more of %s" : "none, or any of %s", nicks);
  case PYRO_SETTING_ENUM:
    nicks = join_nicks (setting);
    return g_strdup_printf ("one of %s", nicks);
  }
  return g_strdup (setting->allowed);
}
