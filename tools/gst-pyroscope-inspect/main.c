/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "inspect-error.h"
#include "text.h"

typedef struct {
  const gchar *name;
  int (*run) (int argc, char **argv);
  const gchar *help;
} Command;

static const Command commands[] = {
  { "record", pyro_cmd_record,
    "run a command that uses GStreamer, and record its profile" },
  { "summary", pyro_cmd_summary,
    "what was profiled, when, for how long, and how well" },
  { "top", pyro_cmd_top,
    "the most expensive functions, elements, threads, mappings, labels" },
  { "diff", pyro_cmd_diff, "what has changed between two profiles" },
  { "report", pyro_cmd_report, "flame graphs in one HTML file" },
  { "flamegraph", pyro_cmd_report, "the same" },
  { "tree", pyro_cmd_tree, "functions with their callers and callees" },
  { "peek", pyro_cmd_peek, "the callers and callees of one function" },
  { "labels", pyro_cmd_labels, "the labels, their values and what these cost" },
  { "symbols", pyro_cmd_symbols,
    "where the names of each library come from, and what would help" },
  { "symbolize", pyro_cmd_symbolize,
    "name what the machine that was profiled could not" },
  { "folded", pyro_cmd_folded, "folded stacks, for flame graph tools" },
  { "dump", pyro_cmd_dump, "everything, sample by sample" },
  { "convert", pyro_cmd_convert,
    "other programs' formats: folded, speedscope, pprof, json" },
  { "merge", pyro_cmd_merge, "several profiles as one pprof file" },
  { "push", pyro_cmd_push, "send captures to a Pyroscope server" },
};

static void
print_help (void)
{
  guint i;

  printf ("Usage:\n"
          "  gst-pyroscope-inspect record [OPTION...] -- PROGRAM...\n"
          "  gst-pyroscope-inspect COMMAND [OPTION...] PATH...\n\n"
          "Records profiles of GStreamer programs, and reads pprof profiles: "
          "gst-pyroscope's captures, and any other "
          "tool's.\n\nCommands:\n");
  for (i = 0; i < G_N_ELEMENTS (commands); i++)
    printf ("  %-10s %s\n", commands[i].name, commands[i].help);
  printf ("\nOptions:\n"
          "  -h, --help   this text; COMMAND --help: the command's options\n"
          "  --version    the version\n\n"
          "Examples:\n"
          "  gst-pyroscope-inspect record -- gst-launch-1.0 videotestsrc "
          "num-buffers=500 ! x264enc ! fakesink\n"
          "  gst-pyroscope-inspect report -o report.html captures/\n"
          "  gst-pyroscope-inspect summary captures/\n"
          "  gst-pyroscope-inspect top --by element captures/\n"
          "  gst-pyroscope-inspect top --by element,function "
          "--filter 'element=x264enc*' captures/\n"
          "  gst-pyroscope-inspect peek x264_encoder_encode captures/\n"
          "  gst-pyroscope-inspect folded captures/ | flamegraph.pl > "
          "cpu.svg\n");
}

static int
report_unknown_command (const gchar *name)
{
  const gchar *names[G_N_ELEMENTS (commands) + 1] = { NULL };
  g_autofree gchar *suggestion = NULL;
  guint i;

  if (*name != '-' && g_file_test (name, G_FILE_TEST_EXISTS)) {
    pyro_report ("the command is missing before \"%s\": "
                 "gst-pyroscope-inspect summary %s",
                 name, name);
    return 1;
  }
  for (i = 0; i < G_N_ELEMENTS (commands); i++)
    names[i] = commands[i].name;
  suggestion = pyro_text_suggest (name, names);
  pyro_report (*name == '-' ? "option \"%s\" is not known here; the command "
                              "comes first%s"
                            : "command \"%s\" is not known%s",
               name, suggestion);
  return 1;
}

static int
run (int argc, char **argv)
{
  guint i;

  if (argc < 2) {
    pyro_report ("no command is given (see --help)");
    return 1;
  }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0
      || strcmp (argv[1], "help") == 0) {
    print_help ();
    return 0;
  }
  if (strcmp (argv[1], "--version") == 0) {
    printf ("gst-pyroscope-inspect %s\n", PYRO_VERSION);
    return 0;
  }
  for (i = 0; i < G_N_ELEMENTS (commands); i++) {
    if (strcmp (argv[1], commands[i].name) == 0)
      return commands[i].run (argc - 1, argv + 1);
  }
  return report_unknown_command (argv[1]);
}

int
main (int argc, char **argv)
{
  int status;

  /* Not LC_NUMERIC: the output's numbers are read by programs. */
  setlocale (LC_CTYPE, "");
  setlocale (LC_TIME, "");
  status = run (argc, argv);
  if (ferror (stdout) || fflush (stdout) != 0) {
    pyro_report ("the output cannot be written: %s", g_strerror (errno));
    return 1;
  }
  return status;
}
