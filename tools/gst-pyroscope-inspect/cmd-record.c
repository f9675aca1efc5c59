/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inspect-error.h"
#include "job.h"
#include "plugin-finder.h"
#include "recording.h"

#define MAX_ROWS "20"
#define REPORT_NAME "report.html"
#define FOLDER_VARIABLE "GST_PYROSCOPE_OUTPUT_DIR"
#define RATE_VARIABLE "GST_PYROSCOPE_SAMPLE_RATE"
#define SERVER_VARIABLE "GST_PYROSCOPE_SERVER_URL"
#define AGENTS_SERVER_VARIABLE "PYROSCOPE_SERVER_ADDRESS"
#define MAX_RATE 1000

typedef struct {
  gchar *folder;
  gint rate; /* Hz; 0: not given */
  gboolean open;
  gchar **command;
} Record;

static gboolean
parse (Record *record, int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &record->folder,
      "The folder of the captures (default: COMMAND-DATE-TIME.pyroscope)",
      "DIR" },
    { "rate", 'r', 0, G_OPTION_ARG_INT, &record->rate,
      "Samples per second of CPU time of each thread (default: 100)", "HZ" },
    { "open", 0, 0, G_OPTION_ARG_NONE, &record->open,
      "Open the report in the browser at the end", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &record->command,
      NULL, "[--] COMMAND [ARGUMENT...]" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_set_prgname ("gst-pyroscope-inspect record");
  g_option_context_set_summary (
      context, "Runs a command that uses GStreamer, and records where its CPU "
               "time goes.");
  g_option_context_set_description (
      context,
      "The command has the terminal, and gets the signals that are sent to "
      "record. The exit\nstatus is the command's, 128 and the number where a "
      "signal ended it, 127 and 126\nwhere it was not found or could not be "
      "run; 1 where it ended well and nothing was\nrecorded. What record says "
      "goes to standard error.\n\n"
      "Examples:\n"
      "  gst-pyroscope-inspect record -- gst-launch-1.0 videotestsrc "
      "num-buffers=500 ! x264enc ! fakesink\n"
      "  gst-pyroscope-inspect record -o captures --rate 1000 -- python3 "
      "player.py\n\n"
      "Other settings of the tracer are given as environment variables "
      "(GST_PYROSCOPE_TAGS,\nGST_PYROSCOPE_UPLOAD_INTERVAL=1 for a command "
      "that "
      "will be killed);\nother tracers in GST_TRACERS stay. Nothing is "
      "pushed unless " SERVER_VARIABLE "\nis set.");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_strict_posix (context, TRUE);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    pyro_report ("%s", error->message);
    return FALSE;
  }
  if (record->rate < 0 || record->rate > MAX_RATE) {
    pyro_report ("--rate %d is not between 1 and %d Hz", record->rate,
                 MAX_RATE);
    return FALSE;
  }
  if (record->command == NULL || *record->command[0] == '\0') {
    pyro_report ("no command is given, as in: gst-pyroscope-inspect record -- "
                 "gst-launch-1.0 videotestsrc num-buffers=500 ! fakesink");
    return FALSE;
  }
  return TRUE;
}

static gchar *
default_folder (const gchar *command)
{
  g_autofree gchar *name = g_path_get_basename (command);
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree gchar *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S");

  return g_strdup_printf ("%s-%s.pyroscope", name, stamp);
}

/* The folder exists then, and has an absolute path: the command may change its
 * directory. */
static gboolean
make_folder (Record *record)
{
  gchar *absolute;

  if (record->folder == NULL)
    record->folder = default_folder (record->command[0]);
  absolute = g_canonicalize_filename (record->folder, NULL);
  g_free (record->folder);
  record->folder = absolute;
  if (g_mkdir_with_parents (absolute, 0777) == 0
      && g_access (absolute, W_OK | X_OK) == 0)
    return TRUE;
  pyro_report ("the folder %s for the captures cannot be used: %s; choose "
               "another one by -o",
               absolute, g_strerror (errno));
  return FALSE;
}

static gboolean
is_set (gchar **environment, const gchar *name)
{
  return g_environ_getenv (environment, name) != NULL;
}

/* Takes ENVIRONMENT. (transfer full) */
static gchar **
make_environment (const Record *record, const gchar *plugin_folder,
                  gchar **environment)
{
  g_autofree gchar *replaced = NULL;

  environment = pyro_plugin_enable (environment, plugin_folder, &replaced);
  if (replaced != NULL)
    pyro_report ("\"%s\" in GST_TRACERS is replaced by record's own; its "
                 "settings can be given as GST_PYROSCOPE_ variables",
                 replaced);
  environment
      = g_environ_setenv (environment, FOLDER_VARIABLE, record->folder, TRUE);
  if (record->rate != 0) {
    g_autofree gchar *rate = g_strdup_printf ("%d", record->rate);

    environment = g_environ_setenv (environment, RATE_VARIABLE, rate, TRUE);
  }
  if (!is_set (environment, SERVER_VARIABLE)
      && !is_set (environment, AGENTS_SERVER_VARIABLE))
    environment = g_environ_setenv (environment, SERVER_VARIABLE, "", TRUE);
  return environment;
}

static void
show_progress (pid_t pid, gpointer data)
{
  pyro_recording_show (data, pid);
}

/* The report beside the captures. NULL: there is none. (transfer full) */
static gchar *
make_report (const Record *record, const PyroRecording *recording)
{
  g_autofree gchar *path
      = g_build_filename (recording->folder, REPORT_NAME, NULL);
  g_autofree gchar *title = g_strjoinv (" ", record->command);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();

  if (!pyro_report_is_built ())
    return NULL;
  g_ptr_array_add (argv, "report");
  g_ptr_array_add (argv, "-o");
  g_ptr_array_add (argv, path);
  g_ptr_array_add (argv, "--title");
  g_ptr_array_add (argv, title);
  g_ptr_array_add (argv, "--");
  for (guint i = 0; i < recording->files->len; i++)
    g_ptr_array_add (argv, recording->files->pdata[i]);
  if (pyro_cmd_report ((int)argv->len, (char **)argv->pdata) != 0)
    return NULL;
  return g_steal_pointer (&path);
}

static void
open_report (const gchar *path)
{
  const gchar *argv[] = { "xdg-open", path, NULL };
  g_autoptr (GError) error = NULL;

  if (path == NULL)
    pyro_report ("there is no report to open");
  else if (!g_spawn_async (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
                           NULL, NULL, NULL, &error))
    pyro_report ("the report cannot be opened: %s", error->message);
}

/* The table goes to standard error, too: standard output is the command's. */
static void
show_result (const Record *record, const PyroRecording *recording)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autofree gchar *report = NULL;

  g_ptr_array_add (argv, "top");
  g_ptr_array_add (argv, "--by=element");
  g_ptr_array_add (argv, "-n");
  g_ptr_array_add (argv, MAX_ROWS);
  g_ptr_array_add (argv, "--");
  for (guint i = 0; i < recording->files->len; i++)
    g_ptr_array_add (argv, recording->files->pdata[i]);
  fflush (stdout);
  dup2 (STDERR_FILENO, STDOUT_FILENO);
  pyro_cmd_top ((int)argv->len, (char **)argv->pdata);
  fflush (stdout);
  report = make_report (record, recording);
  g_set_prgname ("gst-pyroscope-inspect");
  pyro_report ("recorded in %s; see also: gst-pyroscope-inspect summary, and "
               "top --by function, path or thread; (none) is the application's "
               "own time and the profiler's (threads pyro-...)",
               recording->folder);
  if (report != NULL)
    pyro_report ("flame graphs: %s", report);
  if (record->open)
    open_report (report);
}

/* Of the others nothing is lost, unless the command handles them itself. */
static gboolean
loses_the_end (int signo)
{
  return signo != 0 && signo != SIGTERM && signo != SIGINT;
}

static const gchar *
explain_nothing (int signo)
{
  if (loses_the_end (signo))
    return "a command that is killed leaves what it had written by then; "
           "GST_PYROSCOPE_UPLOAD_INTERVAL=1 writes every second";
  return "the command has run no pipeline, may not write into the folder "
         "(another user needs one that it may write to: -o), or is not allowed "
         "to load tracers (a set-user-id program); what it reports above comes "
         "first";
}

/* The exit status. */
static int
run (const Record *record, gchar **environment)
{
  PyroRecording recording;
  g_autoptr (GError) error = NULL;
  int status, signo;

  pyro_recording_init (&recording, record->folder);
  status = pyro_job_run (record->command, environment, show_progress,
                         &recording, &signo, &error);
  pyro_recording_hide (&recording);
  pyro_recording_look (&recording);
  g_set_prgname ("gst-pyroscope-inspect");
  if (error != NULL)
    pyro_report ("%s", error->message);
  else if (signo != 0)
    pyro_report ("%s was ended by signal %d (%s)%s", record->command[0], signo,
                 g_strsignal (signo),
                 loses_the_end (signo)
                     ? "; what it did since the last capture was written is "
                       "lost"
                     : "");
  if (recording.files->len > 0) {
    show_result (record, &recording);
  } else {
    /* Only if it was made for this, and is empty. */
    rmdir (record->folder);
    if (error == NULL) {
      pyro_report (
          "nothing was recorded: %s; GST_DEBUG=pyroscope:5 shows what the "
          "tracer does",
          explain_nothing (signo));
      status = status != 0 ? status : 1;
    }
  }
  pyro_recording_clear (&recording);
  return status;
}

int
pyro_cmd_record (int argc, char **argv)
{
  Record record = { 0 };
  gchar **environment = g_get_environ ();
  g_autofree gchar *plugin_folder = NULL;
  g_autoptr (GError) error = NULL;
  int status = 1;

  if (parse (&record, argc, argv)) {
    plugin_folder = pyro_plugin_find (environment, &error);
    if (plugin_folder == NULL) {
      pyro_report ("%s", error->message);
    } else if (make_folder (&record)) {
      environment = make_environment (&record, plugin_folder, environment);
      status = run (&record, environment);
    }
  }
  g_free (record.folder);
  g_strfreev (record.command);
  g_strfreev (environment);
  return status;
}
