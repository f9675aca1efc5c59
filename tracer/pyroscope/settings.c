/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"
#include "settings/check.h"
#include "settings/message.h"
#include "settings/params.h"
#include "settings/table.h"
#include "settings/value.h"

/* Where a value of one setting comes from, in the order in which they count. */
typedef enum {
  SOURCE_PARAMETER,
  SOURCE_ENVIRONMENT,
  SOURCE_AGENTS,
  SOURCE_DEFAULT,
  N_SOURCES,
} Source;

/* What is wrong with a setting's value, told once it is known what is used
 * instead. */
static void
say_refused (const PyroSetting *setting, const gchar *text, const gchar *origin,
             const gchar *why, const gchar *instead, GPtrArray *messages)
{
  g_autofree gchar *shown = pyro_setting_show_text (setting, text);
  g_autofree gchar *allowed = pyro_setting_allowed (setting);

  pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                     "%s: %s from %s %s; allowed: %s; used instead: %s",
                     setting->name, shown, origin, why, allowed, instead);
}

static gboolean
url_has_password (const gchar *text)
{
  g_autofree gchar *url = g_strdup (text);
  g_autofree gchar *user = NULL, *password = NULL;

  return pyro_url_take_userinfo (&url, &user, &password) && *password != '\0';
}

/* What was given as a parameter is in GStreamer's own log, whatever we do. A
 * user or a tenant alone opens no door. */
static void
check_exposure (const PyroSetting *setting, const gchar *text,
                GPtrArray *messages)
{
  gboolean may_be_file = strcmp (setting->name, "auth-token") == 0
                         || strcmp (setting->name, "basic-auth-password") == 0;
  gboolean has_secret = may_be_file;
  g_autofree gchar *environment = NULL;

  if (strcmp (setting->name, "http-headers") == 0)
    has_secret = TRUE;
  if (strcmp (setting->name, "server-url") == 0)
    has_secret = url_has_password (text);
  if (!has_secret || *text == '\0')
    return;
  environment = pyro_setting_environment_name (setting);
  pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                     "%s: GStreamer writes parameters to its log, and this one "
                     "is a secret; give it as %s%s%s",
                     setting->name, may_be_file ? setting->name : "",
                     may_be_file ? "-file, or in the environment as " : "",
                     environment);
}

/* TEXTS and ORIGINS have N_SOURCES members; the default is always good. */
static void
resolve (const PyroSetting *setting, PyroSettings *settings,
         const gchar *const *texts, gchar **origins, GPtrArray *messages)
{
  gchar *reasons[N_SOURCES] = { NULL };
  g_autofree gchar *shown = NULL, *instead = NULL;
  Source source;

  for (source = 0; source < N_SOURCES; source++) {
    PyroSettingValue value;

    if (texts[source] == NULL)
      continue;
    if (pyro_setting_parse (setting, texts[source], origins[source], &value,
                            &reasons[source], messages)) {
      pyro_setting_store (setting, settings, &value);
      if (source == SOURCE_PARAMETER)
        check_exposure (setting, texts[source], messages);
      break;
    }
  }
  g_assert (source < N_SOURCES);
  shown = pyro_setting_show_value (setting, settings);
  instead = g_strdup_printf ("%s (%s)", shown, origins[source]);
  for (Source i = 0; i < source; i++) {
    if (reasons[i] != NULL)
      say_refused (setting, texts[i], origins[i], reasons[i], instead,
                   messages);
    g_free (reasons[i]);
  }
}

/* The environment's value of NAME, or NULL. An empty one means that there is
 * none, but where GIVEN. */
static const gchar *
look_up (gchar **environment, const gchar *name, gboolean given)
{
  const gchar *value;

  if (environment == NULL || name == NULL)
    return NULL;
  value = g_environ_getenv (environment, name);
  return value != NULL && (given || *value != '\0') ? value : NULL;
}

static gboolean
is_environment_name (const gchar *name)
{
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);
  gboolean found = FALSE;

  for (guint i = 0; i < n_settings && !found; i++) {
    g_autofree gchar *known = pyro_setting_environment_name (&table[i]);

    found = strcmp (known, name) == 0;
  }
  return found;
}

/* A name that begins with ours and is none is a slip. The agents' names are
 * not ours to judge. */
static void
check_environment (gchar **environment, GPtrArray *messages)
{
  static const gchar prefix[] = "GST_PYROSCOPE_";

  for (guint i = 0; environment != NULL && environment[i] != NULL; i++) {
    g_autofree gchar *name = NULL, *meant = NULL, *where = NULL;

    if (!g_str_has_prefix (environment[i], prefix))
      continue;
    name = g_strndup (environment[i], strcspn (environment[i], "="));
    if (is_environment_name (name))
      continue;
    meant = g_ascii_strdown (name + strlen (prefix), -1);
    where = g_strdup_printf ("%.100s in the environment", name);
    pyro_settings_say_unknown (meant, where, messages);
  }
}

static void
drop_header (PyroSettings *settings, const gchar *name, const gchar *setting,
             GPtrArray *messages)
{
  for (guint i = settings->header_list->len; i > 0; i--) {
    PyroLabel *header
        = &g_array_index (settings->header_list, PyroLabel, i - 1);

    if (g_ascii_strcasecmp (header->key, name) != 0)
      continue;
    g_array_remove_index (settings->header_list, i - 1);
    pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                       "http-headers: %s is left out, as %s sets it; give one "
                       "of the two",
                       name, setting);
  }
}

static gboolean
is_set (const gchar *text)
{
  return *text != '\0';
}

static gboolean
has_token (const PyroSettings *settings)
{
  return is_set (settings->auth_token) || is_set (settings->auth_token_file);
}

static const gchar *
token_name (const PyroSettings *settings)
{
  return is_set (settings->auth_token) ? "auth-token" : "auth-token-file";
}

/* What is given itself wins over a file. */
static void
drop_file (const gchar *given, const gchar *name, gchar **file,
           GPtrArray *messages)
{
  if (!is_set (given) || !is_set (*file))
    return;
  pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                     "%s-file is not used, as %s is set and wins; give one of "
                     "the two",
                     name, name);
  g_free (*file);
  *file = g_strdup ("");
}

/* Makes the settings that tell who we are agree, so that who reads them later
 * finds one way only. */
static void
reconcile_auth (PyroSettings *settings, GPtrArray *messages)
{
  g_autofree gchar *user = NULL, *password = NULL;

  if (pyro_url_take_userinfo (&settings->server_url, &user, &password)) {
    if (is_set (settings->basic_auth_user)) {
      pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                         "server-url: the user in it is not used, as "
                         "basic-auth-user is set; give one of the two");
    } else if (pyro_has_control (user) || pyro_has_control (password)) {
      pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                         "server-url: the user in it is not used, as it has "
                         "a control character");
    } else {
      g_free (settings->basic_auth_user);
      settings->basic_auth_user = g_steal_pointer (&user);
      if (!is_set (settings->basic_auth_password) || is_set (password)) {
        g_free (settings->basic_auth_password);
        settings->basic_auth_password = g_steal_pointer (&password);
      }
    }
  }
  drop_file (settings->auth_token, "auth-token", &settings->auth_token_file,
             messages);
  drop_file (settings->basic_auth_password, "basic-auth-password",
             &settings->basic_auth_password_file, messages);
  if (has_token (settings)
      && (is_set (settings->basic_auth_user)
          || is_set (settings->basic_auth_password))) {
    pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                       "basic-auth-user and basic-auth-password are not used, "
                       "as %s is set and wins; give one of the two",
                       token_name (settings));
    g_free (settings->basic_auth_user);
    g_free (settings->basic_auth_password);
    settings->basic_auth_user = g_strdup ("");
    settings->basic_auth_password = g_strdup ("");
  }
  if (has_token (settings))
    drop_header (settings, "Authorization", token_name (settings), messages);
  else if (is_set (settings->basic_auth_user))
    drop_header (settings, "Authorization", "basic-auth-user", messages);
  if (is_set (settings->tenant_id))
    drop_header (settings, "X-Scope-OrgID", "tenant-id", messages);
}

PyroSettings *
pyro_settings_new (const gchar *params, gchar **environment,
                   GPtrArray *messages)
{
  PyroSettings *settings = g_new0 (PyroSettings, 1);
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);
  gchar **given = pyro_settings_params_split (params, messages);

  check_environment (environment, messages);
  for (guint i = 0; i < n_settings; i++) {
    const PyroSetting *setting = &table[i];
    gboolean is_text = setting->type == PYRO_SETTING_STRING
                       || setting->type == PYRO_SETTING_PAIRS;
    g_autofree gchar *name = pyro_setting_environment_name (setting);
    g_autofree gchar *agents = pyro_setting_agent_name (setting);
    gchar *origins[N_SOURCES] = { "GST_TRACERS", name, agents, "default" };
    const gchar *texts[N_SOURCES]
        = { given[i], look_up (environment, name, is_text),
            look_up (environment, agents, FALSE), setting->fallback };

    resolve (setting, settings, texts, origins, messages);
  }
  pyro_settings_params_free (given);

  reconcile_auth (settings, messages);
  if ((is_set (settings->basic_auth_password)
       || is_set (settings->basic_auth_password_file))
      && !has_token (settings) && !is_set (settings->basic_auth_user))
    pyro_settings_say (messages, PYRO_MESSAGE_WARNING,
                       "basic-auth-password is set, but basic-auth-user is "
                       "not: the user is sent as empty; set it, too");
  return settings;
}

PyroSettings *
pyro_settings_copy (const PyroSettings *settings)
{
  PyroSettings *copy = g_memdup2 (settings, sizeof *settings);
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  for (guint i = 0; i < n_settings; i++) {
    if (table[i].type == PYRO_SETTING_STRING
        || table[i].type == PYRO_SETTING_PAIRS) {
      gchar **text = pyro_setting_string (&table[i], copy);

      *text = g_strdup (*text);
    }
    if (table[i].type == PYRO_SETTING_PAIRS) {
      GArray **list = pyro_setting_list (&table[i], copy);

      *list = pyro_label_list_copy (*list);
    }
  }
  return copy;
}

void
pyro_settings_free (PyroSettings *settings)
{
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  if (settings == NULL)
    return;
  for (guint i = 0; i < n_settings; i++) {
    if (table[i].type == PYRO_SETTING_STRING
        || table[i].type == PYRO_SETTING_PAIRS)
      g_free (*pyro_setting_string (&table[i], settings));
    if (table[i].type == PYRO_SETTING_PAIRS)
      g_clear_pointer (pyro_setting_list (&table[i], settings), g_array_unref);
  }
  g_free (settings);
}

gchar *
pyro_settings_describe (const PyroSettings *settings)
{
  GString *line = g_string_new (NULL);
  g_autofree gchar *name = pyro_settings_quote (settings->tracer_name);

  g_string_append_printf (line, "profiling as %s at %u Hz, %u s a profile, ",
                          name, settings->sample_rate,
                          settings->upload_interval);
  if (is_set (settings->server_url))
    g_string_append_printf (line, "pushed to %s", settings->server_url);
  else
    g_string_append (line, "not pushed");
  if (has_token (settings))
    g_string_append (line, " with a token");
  else if (is_set (settings->basic_auth_user))
    g_string_append (line, " with basic authentication");
  if (is_set (settings->server_url) && is_set (settings->spool_dir)) {
    g_autofree gchar *directory = pyro_settings_quote (settings->spool_dir);

    g_string_append_printf (line, ", waiting in %s", directory);
  }
  if (is_set (settings->output_dir)) {
    g_autofree gchar *directory = pyro_settings_quote (settings->output_dir);

    g_string_append_printf (line, ", written to %s", directory);
  }
  for (guint i = 0; i < settings->tag_list->len; i++) {
    const PyroLabel *tag = &g_array_index (settings->tag_list, PyroLabel, i);
    g_autofree gchar *value = pyro_settings_quote (tag->value);

    g_string_append_printf (line, "%s%.64s=%s", i == 0 ? ", tags " : ",",
                            tag->key, value);
  }
  return g_string_free (line, FALSE);
}

gboolean
pyro_settings_set_property (PyroSettings *settings, guint index,
                            const GValue *value, GPtrArray *messages)
{
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);
  const PyroSetting *setting;
  PyroSettingValue parsed = { 0 };
  const gchar *text;
  g_autofree gchar *why = NULL;

  if (index >= n_settings)
    return FALSE;
  setting = &table[index];
  switch (setting->type) {
  case PYRO_SETTING_UINT:
  case PYRO_SETTING_SECONDS:
    parsed.number = g_value_get_uint (value);
    break;
  case PYRO_SETTING_BOOL:
    parsed.number = g_value_get_boolean (value);
    break;
  case PYRO_SETTING_FLAGS:
    parsed.number = g_value_get_flags (value);
    if (setting->min > 0 && parsed.number == 0)
      why = g_strdup ("is empty");
    break;
  case PYRO_SETTING_ENUM:
    parsed.number = g_value_get_enum (value);
    break;
  case PYRO_SETTING_STRING:
  case PYRO_SETTING_PAIRS:
    text = g_value_get_string (value);
    pyro_setting_parse (setting, text != NULL ? text : "", "the property",
                        &parsed, &why, messages);
    break;
  }
  if (why != NULL) {
    g_autofree gchar *instead = pyro_setting_show_value (setting, settings);

    text = G_VALUE_HOLDS_STRING (value) ? g_value_get_string (value) : NULL;
    say_refused (setting, text != NULL ? text : "", "the property", why,
                 instead, messages);
    return FALSE;
  }
  pyro_setting_store (setting, settings, &parsed);
  reconcile_auth (settings, messages);
  return TRUE;
}

gboolean
pyro_settings_get_property (const PyroSettings *settings, guint index,
                            GValue *value)
{
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);
  const PyroSetting *setting;
  /* Nothing is written through it. */
  PyroSettings *own = (PyroSettings *)settings;

  if (index >= n_settings)
    return FALSE;
  setting = &table[index];
  switch (setting->type) {
  case PYRO_SETTING_UINT:
  case PYRO_SETTING_SECONDS:
    g_value_set_uint (value, *pyro_setting_number (setting, own));
    break;
  case PYRO_SETTING_BOOL:
    g_value_set_boolean (value, *pyro_setting_number (setting, own));
    break;
  case PYRO_SETTING_FLAGS:
    g_value_set_flags (value, *pyro_setting_number (setting, own));
    break;
  case PYRO_SETTING_ENUM:
    g_value_set_enum (value, *pyro_setting_number (setting, own));
    break;
  case PYRO_SETTING_STRING:
  case PYRO_SETTING_PAIRS:
    g_value_set_string (
        value, setting->secret ? NULL : *pyro_setting_string (setting, own));
    break;
  }
  return TRUE;
}
