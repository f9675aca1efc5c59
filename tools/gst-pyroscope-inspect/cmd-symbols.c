/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"
#include "commands.h"

#include <stdio.h>

#include "debug-path.h"
#include "json.h"
#include "libraries.h"
#include "quantity.h"
#include "selection.h"
#include "symbol-source.h"
#include "terminal.h"
#include "text.h"

#define BUILD_ID_LENGTH 16

typedef struct {
  PyroDebugPathOptions where;
  PyroDebugPlaces *places;
  PyroSelection selection;
  GPtrArray *libraries; /* of PyroLibrary */
  gint64 total;         /* of all frames */
} Symbols;

/* What is missing, and what to do about it. (transfer full) */
static gchar *
describe (const PyroLibrary *library, const PyroSymbolSource *source)
{
  if (library->n_unnamed == 0
      && library->origins.values[PYRO_ORIGIN_STATEMENTS] == 0)
    return NULL;
  if (source->debug_file != NULL)
    return g_strdup_printf ("gst-pyroscope-inspect symbolize names it by %s",
                            source->debug_file);
  if (source->has_symbols)
    return g_strdup ("the file here has symbols: gst-pyroscope-inspect "
                     "symbolize looks them up");
  switch (source->state) {
  case PYRO_FILE_NONE:
    return g_strdup ("generated code, or the kernel's: no file has its names");
  case PYRO_FILE_UNCERTAIN:
    return g_strdup ("it has no build id, so that no debug information can be "
                     "found for it: link it with --build-id");
  case PYRO_FILE_OTHER:
    return g_strdup ("the file here is another build: give the root of the "
                     "system that was profiled by --sysroot, or a folder with "
                     "its debug files by --debug-path");
  case PYRO_FILE_MISSING:
    return g_strdup (
        "this file does not exist here: give the root of the system "
        "that was profiled by --sysroot, or a folder with its "
        "debug files by --debug-path");
  default:
    return source->command != NULL
               ? g_strdup_printf ("%s, then gst-pyroscope-inspect symbolize",
                                  source->command)
               : g_strdup ("no package has this file; build it with -g, or "
                           "give a folder with its debug files by "
                           "--debug-path");
  }
}

static void
print_library (const Symbols *self, const PyroTerminal *terminal,
               const PyroLibrary *library, const PyroSymbolSource *source)
{
  const PyroNameOrigins *origins = &library->origins;
  g_autofree gchar *base = g_path_get_basename (library->filename);
  g_autofree gchar *name = pyro_text_printable (base);
  g_autofree gchar *build_id = pyro_text_printable (library->build_id);
  g_autofree gchar *advice = describe (library, source);
  g_autofree gchar *printable = NULL;

  printf (
      "%6.2f%%  %6.2f%% %6.2f%% %6.2f%%  %5u of %-5u  %-*.*s  %s%s%s\n",
      pyro_percent (origins->total, self->total),
      pyro_percent (origins->values[PYRO_ORIGIN_SYMBOLS], origins->total),
      pyro_percent (origins->values[PYRO_ORIGIN_STATEMENTS], origins->total),
      pyro_percent (origins->values[PYRO_ORIGIN_NONE], origins->total),
      library->n_unnamed, library->n_addresses, BUILD_ID_LENGTH,
      BUILD_ID_LENGTH, *build_id != '\0' ? build_id : "-",
      pyro_terminal_bold (terminal), name, pyro_terminal_reset (terminal));
  if (advice == NULL)
    return;
  printable = pyro_text_printable (advice);
  printf ("         %s\n", printable);
}

static void
print_text (const Symbols *self, const PyroTerminal *terminal)
{
  const gchar *server = pyro_symbol_source_get_server ();
  gboolean has_command = FALSE;

  printf ("%sof all %s   symbols  statem.  none   without a name  %-*s  "
          "library%s\n",
          pyro_terminal_bold (terminal),
          self->selection.profile->sample_types[self->selection.type].type,
          BUILD_ID_LENGTH, "build id", pyro_terminal_reset (terminal));
  for (guint i = 0; i < self->libraries->len; i++) {
    const PyroLibrary *library = self->libraries->pdata[i];
    PyroSymbolSource source;

    pyro_symbol_source_find (&source, self->places, library->filename,
                             library->build_id);
    print_library (self, terminal, library, &source);
    has_command |= source.command != NULL;
    pyro_symbol_source_clear (&source);
  }
  if (has_command && server != NULL)
    printf ("Or, with nothing to install: DEBUGINFOD_URLS=%s "
            "gst-pyroscope-inspect symbolize ...\n",
            server);
}

static void
json_library (PyroJson *json, const Symbols *self, const PyroLibrary *library,
              const PyroSymbolSource *source)
{
  static const gchar *const states[] = { [PYRO_FILE_SAME] = "same",
                                         [PYRO_FILE_OTHER] = "other build",
                                         [PYRO_FILE_UNCERTAIN] = "no build id",
                                         [PYRO_FILE_MISSING] = "missing",
                                         [PYRO_FILE_NONE] = "no file" };
  const PyroNameOrigins *origins = &library->origins;
  g_autofree gchar *advice = describe (library, source);

  pyro_json_begin_object (json, NULL);
  pyro_json_string (json, "filename", library->filename);
  pyro_json_string (json, "build_id", library->build_id);
  pyro_json_int (json, "value", origins->total);
  pyro_json_double (json, "percent",
                    pyro_percent (origins->total, self->total));
  pyro_json_double (
      json, "symbols_percent",
      pyro_percent (origins->values[PYRO_ORIGIN_SYMBOLS], origins->total));
  pyro_json_double (
      json, "debug_statements_percent",
      pyro_percent (origins->values[PYRO_ORIGIN_STATEMENTS], origins->total));
  pyro_json_double (
      json, "none_percent",
      pyro_percent (origins->values[PYRO_ORIGIN_NONE], origins->total));
  pyro_json_uint (json, "addresses", library->n_addresses);
  pyro_json_uint (json, "addresses_without_name", library->n_unnamed);
  pyro_json_string (json, "file_here", states[source->state]);
  pyro_json_bool (json, "file_has_symbols", source->has_symbols);
  pyro_json_string (json, "debug_file", source->debug_file);
  pyro_json_string (json, "package", source->package);
  pyro_json_string (json, "command", source->command);
  pyro_json_string (json, "advice", advice);
  pyro_json_end_object (json);
}

static void
print_json (const Symbols *self)
{
  PyroJson json;

  pyro_json_begin (&json, stdout);
  pyro_json_begin_object (&json, NULL);
  pyro_json_string (
      &json, "type",
      self->selection.profile->sample_types[self->selection.type].type);
  pyro_json_int (&json, "total", self->total);
  pyro_json_begin_array (&json, "libraries");
  for (guint i = 0; i < self->libraries->len; i++) {
    const PyroLibrary *library = self->libraries->pdata[i];
    PyroSymbolSource source;

    pyro_symbol_source_find (&source, self->places, library->filename,
                             library->build_id);
    json_library (&json, self, library, &source);
    pyro_symbol_source_clear (&source);
  }
  pyro_json_end_array (&json);
  pyro_json_end_object (&json);
  pyro_json_end (&json);
}

static gboolean
show (gpointer data, PyroInput *input, const PyroOptions *options,
      GError **error)
{
  Symbols *self = data;
  PyroTerminal terminal;

  self->places = pyro_debug_path_make (&self->where, error);
  if (self->places == NULL
      || !pyro_selection_make (&self->selection, input, options, error))
    return FALSE;
  self->libraries
      = pyro_libraries_list (self->selection.profile, self->selection.type);
  self->total
      = pyro_name_origins_count (self->selection.profile, self->selection.type)
            .total;
  if (options->json) {
    print_json (self);
  } else {
    pyro_terminal_init (&terminal, options->color);
    print_text (self, &terminal);
  }
  return TRUE;
}

int
pyro_cmd_symbols (int argc, char **argv)
{
  Symbols self = { 0 };
  const GOptionEntry extra[]
      = { PYRO_DEBUG_PATH_ENTRIES (&self.where), { NULL } };
  const PyroCommand command = {
    .options = {
      .summary
      = "Says for each library where its functions' names come from, how many "
        "addresses have\nnone, and what would help.",
      .description
      = "A sample counts for each of its frames. symbols: a symbol table or "
        "debug information;\nstatem.: the library's own debug statements; none: "
        "the frame is called\nLIBRARY!0xOFFSET.",
      .extra = extra,
    },
    .show = show,
    .self = &self,
  };
  const int status = pyro_command_run (&command, argc, argv);

  g_clear_pointer (&self.libraries, g_ptr_array_unref);
  g_clear_pointer (&self.places, pyro_debug_places_free);
  pyro_debug_path_clear (&self.where);
  return status;
}
