/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the manual of the settings from their table:
 *   settings-docs markdown|man          to standard output
 *   settings-docs write FILE            docs/settings.md
 *   settings-docs check FILE            exit 1 where FILE is another text
 */
#include "settings/table.h"

#include <stdio.h>

/* Text in which `...` is to be typed as it stands. A paragraph that begins with
 * four spaces is an example, one that begins with "- " a list's item. */
typedef struct {
  const gchar *title;
  const gchar *paragraphs[12];
} Section;

static const Section before[] = {
  { "Giving a setting",
    { "Each setting is a parameter of the tracer in `GST_TRACERS`, an "
      "environment variable, and a property of the tracer object:",
      "    GST_TRACERS='pyroscope(sample-rate=200,tags=\"env=dev\")'\n"
      "    GST_PYROSCOPE_SAMPLE_RATE=200 GST_PYROSCOPE_TAGS=env=dev "
      "GST_TRACERS=pyroscope",
      "Where a setting is given more than once, what counts is, in this "
      "order: the property, the parameter, the `GST_PYROSCOPE_` variable, the "
      "`PYROSCOPE_` variable that the Pyroscope agents for other languages "
      "read, the default. A variable that is empty counts as not given, but "
      "for a `GST_PYROSCOPE_` variable that is a text: "
      "`GST_PYROSCOPE_SERVER_URL=` means that nothing is pushed.",
      "A value that is wrong is reported, with what is allowed, and the next "
      "of these counts; the pipeline runs on. So is a name that is no "
      "setting, in the parameters or with `GST_PYROSCOPE_` before it." } },
};

static const Section after[] = {
  { "Parameters",
    { "Parameters are `name=value`, with commas between them. Blanks around "
      "names, values and commas do not count, nor does a `;` at the end.",
      "- A value may be in double or single quotes. A backslash takes the "
      "meaning from the character behind it.",
      "- Without quotes it ends at the next comma that has no backslash "
      "before it. In `tags` and `http-headers` it goes on where no setting's "
      "name follows: `tags=env=dev,team=video,sample-rate=50` are two tags "
      "and a rate. What is one slip away from a setting's name (two, in names "
      "of eight letters or more) is taken for a slip and reported: a tag "
      "that is named `tag` or `profile` wants quotes around all tags.",
      "- Lists may be in `{}`, `[]` or `<>`, and a type as `(string)` may "
      "stand before a value, as GStreamer writes them.",
      "- Yes and no are `true`, `yes`, `on`, `1`, `t` and `false`, `no`, "
      "`off`, `0`, `f`. Seconds are a number, or a duration such as `1m30s`.",
      "GStreamer ends the parameters at the first `;` in `GST_TRACERS`, quotes "
      "or not, and takes what follows for another tracer's name; before 1.24 "
      "it ends them at the first `)`, too. The environment carries both." } },
  { "Tags",
    { "Tags are `NAME=VALUE,NAME=VALUE`. A value, or a whole pair, may be in "
      "quotes; a comma in a value wants them, or a backslash.",
      "A name is made of letters, digits and `_` and does not begin with a "
      "digit; other characters are replaced by `_`, which is reported. "
      "`service_name` is the setting `tracer-name`. `pipeline`, `path`, "
      "`element`, `factory`, `thread` and `attribution` would hide the labels "
      "of the samples, and names that begin with `__` are the server's: these "
      "are refused. `service`, `version`, `os`, `arch` and `hostname` replace "
      "what the tracer would say there. A series has at most 30 labels, which "
      "leaves 17 for other tags; a name has at most 1024 bytes, a value "
      "2048." } },
  { "HTTP headers",
    { "Headers are `NAME=VALUE,NAME=VALUE`, as tags, or a JSON object of "
      "strings: `{\"X-A\": \"1\"}`. Those that the push sets itself "
      "(`Content-Type` and its like) are refused, and so is `Authorization` "
      "beside `auth-token` or `basic-auth-user`, and `X-Scope-OrgID` beside "
      "`tenant-id`." } },
  { "Secrets",
    { "`basic-auth-user`, `basic-auth-password`, `auth-token`, `tenant-id` "
      "and `http-headers` are in no message and no log of the tracer, and the "
      "properties read as NULL; so does `params`, which other tracers keep "
      "readable.",
      "GStreamer is not as careful: what is given in `GST_TRACERS` it writes "
      "to its own log (`GST_DEBUG=GST_TRACER:4` and above), and what stands "
      "behind a `;` even as the name of a tracer that it does not find. So a "
      "secret in the parameters is warned of.",
      "Best is a file: `auth-token-file`, `basic-auth-password-file`, readable "
      "by this user alone. It is read again when it changes, and the first "
      "line counts. Next is the environment, which the same user and root can "
      "read (`/proc/PID/environ`), and which child processes inherit.",
      "Over plain http to another host, credentials can be read on the way; "
      "that is warned of, too." } },
};

/* Markdown */

static void
markdown_cell (GString *out, const gchar *text)
{
  for (; *text != '\0'; text++)
    g_string_append_printf (out, *text == '|' ? "\\%c" : "%c", *text);
}

static void
markdown_sections (GString *out, const Section *sections, gsize n_sections)
{
  for (gsize i = 0; i < n_sections; i++) {
    gboolean in_list = FALSE;

    g_string_append_printf (out, "\n## %s\n\n", sections[i].title);
    for (guint j = 0; sections[i].paragraphs[j] != NULL; j++) {
      const gchar *text = sections[i].paragraphs[j];

      if (in_list && !g_str_has_prefix (text, "- "))
        g_string_append_c (out, '\n');
      in_list = g_str_has_prefix (text, "- ");
      g_string_append_printf (
          out, "%s\n%s", text,
          in_list || sections[i].paragraphs[j + 1] == NULL ? "" : "\n");
    }
  }
}

static GString *
markdown (void)
{
  GString *out = g_string_new (
      "<!-- Made from the table of settings (tracer/pyroscope/settings/); "
      "`meson compile write-settings-docs` writes it anew. -->\n"
      "# Settings of the tracer\n");
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  markdown_sections (out, before, G_N_ELEMENTS (before));
  g_string_append (out, "\n## The settings\n\n"
                        "| setting | value | default | meaning |\n"
                        "|---|---|---|---|\n");
  for (guint i = 0; i < n_settings; i++) {
    g_autofree gchar *allowed = pyro_setting_allowed (&table[i]);

    g_string_append_printf (out, "| `%s` | ", table[i].name);
    markdown_cell (out, allowed);
    if (*table[i].fallback != '\0')
      g_string_append_printf (out, " | `%s` | ", table[i].fallback);
    else
      g_string_append (out, " | | ");
    markdown_cell (out, table[i].help);
    g_string_append (out, table[i].secret ? " Secret. |\n" : " |\n");
  }
  g_string_append (out, "\n| setting | value | meaning |\n|---|---|---|\n");
  for (guint i = 0; i < n_settings; i++) {
    PyroSettingChoice choice;

    if (table[i].gtype == NULL)
      continue;
    for (guint j = 0; pyro_setting_choice (&table[i], j, &choice); j++)
      g_string_append_printf (out, "| `%s` | `%s` | %s |\n", table[i].name,
                              choice.nick, choice.description);
  }
  g_string_append (out, "\n| setting | environment | the agents' |\n"
                        "|---|---|---|\n");
  for (guint i = 0; i < n_settings; i++) {
    g_autofree gchar *name = pyro_setting_environment_name (&table[i]);
    g_autofree gchar *agents = pyro_setting_agent_name (&table[i]);

    g_string_append_printf (out, "| `%s` | `%s` | ", table[i].name, name);
    if (agents != NULL)
      g_string_append_printf (out, "`%s` ", agents);
    g_string_append (out, "|\n");
  }
  markdown_sections (out, after, G_N_ELEMENTS (after));
  return out;
}

/* man(7) */

static void
man_inline (GString *out, const gchar *text)
{
  gboolean bold = FALSE;

  for (; *text != '\0'; text++) {
    if (*text == '`')
      g_string_append (out, (bold = !bold) ? "\\fB" : "\\fR");
    else if (*text == '\\')
      g_string_append (out, "\\e");
    else if (*text == '-')
      g_string_append (out, "\\-");
    else if (*text == '\'')
      g_string_append (out, "\\(aq");
    else
      g_string_append_c (out, *text);
  }
}

static void
man_text (GString *out, const gchar *text)
{
  man_inline (out, text);
  g_string_append_c (out, '\n');
}

static void
man_sections (GString *out, const Section *sections, gsize n_sections)
{
  for (gsize i = 0; i < n_sections; i++) {
    g_autofree gchar *title = g_ascii_strup (sections[i].title, -1);

    g_string_append_printf (out, ".SH %s\n", title);
    for (guint j = 0; sections[i].paragraphs[j] != NULL; j++) {
      const gchar *text = sections[i].paragraphs[j];

      if (g_str_has_prefix (text, "    ")) {
        g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

        g_string_append (out, ".PP\n.nf\n");
        for (guint k = 0; lines[k] != NULL; k++)
          man_text (out, lines[k]);
        g_string_append (out, ".fi\n");
      } else if (g_str_has_prefix (text, "- ")) {
        g_string_append (out, ".IP \\(bu 2\n");
        man_text (out, text + 2);
      } else {
        g_string_append (out, ".PP\n");
        man_text (out, text);
      }
    }
  }
}

static GString *
man (void)
{
  GString *out = g_string_new (NULL);
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  g_string_append_printf (
      out,
      ".TH GST\\-PYROSCOPE\\-TRACER 7 \"\" \"gst\\-pyroscope %s\" \"\"\n"
      ".SH NAME\n"
      "gst\\-pyroscope\\-tracer \\- continuous profiling of GStreamer "
      "pipelines by element\n"
      ".SH SYNOPSIS\n"
      "\\fBGST_TRACERS=\\(aqpyroscope(\\fIname\\fB=\\fIvalue\\fB,...)\\(aq\\fR "
      "\\fIprogram\\fR ...\n"
      ".SH DESCRIPTION\n"
      "The tracer samples every thread of a GStreamer process, says which "
      "element of which pipeline was executing, and sends profiles to a "
      "Pyroscope server or writes them to files.\n",
      PYRO_VERSION);
  man_sections (out, before, G_N_ELEMENTS (before));
  g_string_append (out, ".SH SETTINGS\n");
  for (guint i = 0; i < n_settings; i++) {
    g_autofree gchar *allowed = pyro_setting_allowed (&table[i]);
    g_autofree gchar *name = pyro_setting_environment_name (&table[i]);
    g_autofree gchar *agents = pyro_setting_agent_name (&table[i]);
    PyroSettingChoice choice;

    g_string_append (out, ".TP\n.B ");
    man_text (out, table[i].name);
    man_text (out, table[i].help);
    g_string_append (out, ".RS\n.PP\nValue: ");
    man_text (out, allowed);
    if (*table[i].fallback != '\0') {
      g_string_append (out, ".br\nDefault: ");
      man_text (out, table[i].fallback);
    }
    for (guint j = 0;
         table[i].gtype && pyro_setting_choice (&table[i], j, &choice); j++) {
      g_string_append (out, ".br\n\\fB");
      man_inline (out, choice.nick);
      g_string_append (out, "\\fR: ");
      man_text (out, choice.description);
    }
    g_string_append_printf (out, ".br\nEnvironment: \\fB%s\\fR%s%s%s\n.RE\n",
                            name, agents != NULL ? ", \\fB" : "",
                            agents != NULL ? agents : "",
                            agents != NULL ? "\\fR" : "");
  }
  man_sections (out, after, G_N_ELEMENTS (after));
  g_string_append (out, ".SH SEE ALSO\n"
                        "\\fBgst\\-launch\\-1.0\\fR(1), "
                        "\\fBgst\\-inspect\\-1.0\\fR(1)\n");
  return out;
}

static int
check (const gchar *file, const GString *wanted)
{
  g_autofree gchar *found = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_file_get_contents (file, &found, NULL, &error)) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  if (strcmp (found, wanted->str) == 0)
    return 0;
  g_printerr ("%s is not what the table of settings says: run "
              "\"meson compile write-settings-docs\" and commit the file\n",
              file);
  return 1;
}

int
main (int argc, char **argv)
{
  const gchar *mode = argc > 1 ? argv[1] : "";
  g_autoptr (GError) error = NULL;
  GString *text;
  int status = 0;

  text = strcmp (mode, "man") == 0 ? man () : markdown ();
  if (argc == 2 && (strcmp (mode, "man") == 0 || !strcmp (mode, "markdown"))) {
    fputs (text->str, stdout);
  } else if (argc == 3 && strcmp (mode, "check") == 0) {
    status = check (argv[2], text);
  } else if (argc == 3 && strcmp (mode, "write") == 0) {
    if (!g_file_set_contents (argv[2], text->str, text->len, &error)) {
      g_printerr ("%s\n", error->message);
      status = 1;
    }
  } else {
    g_printerr ("usage: settings-docs markdown|man|write FILE|check FILE\n");
    status = 2;
  }
  g_string_free (text, TRUE);
  return status;
}
