/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/statements.h"

#include "symbols/address-filter.h"
#include "symbols/call-arguments.h"

#include <string.h>

/* GStreamer's own library has 4000 statements. */
#define STATEMENTS_MAX 100000

/* The largest libraries that use GStreamer have some 30 000. */
#define FUNCTIONS_MAX (1u << 18)

/* What one function may inline of others. */
#define NAMES_MAX 64

#define LINES_MAX 1000000

typedef struct {
  const PyroCodeImage *image;
  const PyroFdeTable *fdes;
  const PyroStatementCalls *calls;
  PyroCallReader *reader;
  GArray *functions; /* of PyroStatedFunction */
  PyroAddressFilter starts;
  gint before; /* the last function that starts before what is read, or -1 */
  guint n_statements;
} Scan;

static void
clear_function (gpointer data)
{
  PyroStatedFunction *function = data;

  g_clear_pointer (&function->names, g_array_unref);
  g_clear_pointer (&function->program, g_free);
}

static PyroStatedFunction *
get_function (Scan *scan, gint index)
{
  return &g_array_index (scan->functions, PyroStatedFunction, index);
}

/* The function that is read now, or -1. */
static gint
find_current (Scan *scan, guint64 address)
{
  while (scan->before + 1 < (gint)scan->functions->len
         && get_function (scan, scan->before + 1)->start <= address)
    scan->before++;
  return scan->before >= 0 && address < get_function (scan, scan->before)->end
             ? scan->before
             : -1;
}

/* The function that begins at ADDRESS, or -1. */
static gint
find_start (Scan *scan, guint64 address)
{
  gint found;

  if (!pyro_address_filter_may_have (&scan->starts, address))
    return -1;
  found = pyro_fde_table_find (scan->fdes, address);
  return found >= 0 && get_function (scan, found)->start == address ? found
                                                                    : -1;
}

static const gchar *
name_argument (const Scan *scan, const PyroCallArguments *arguments, gint index,
               gboolean whole)
{
  if (index < 0 || !arguments->known[index] || arguments->loaded[index])
    return NULL;
  return pyro_code_image_find_name (scan->image, arguments->value[index],
                                    whole);
}

static void
add_name (PyroStatedFunction *function, const gchar *name, const gchar *file,
          guint line)
{
  PyroStatedName stated = { .name = name, .file = file, .n = 1, .line = line };

  if (function->names == NULL)
    function->names = g_array_new (FALSE, FALSE, sizeof stated);
  for (guint i = 0; i < function->names->len; i++) {
    PyroStatedName *known = &g_array_index (function->names, PyroStatedName, i);

    if (!g_str_equal (known->name, name))
      continue;
    known->n++;
    known->line = MAX (known->line, line);
    if (known->file == NULL)
      known->file = file;
    return;
  }
  if (function->names->len < NAMES_MAX)
    g_array_append_val (function->names, stated);
}

/* The function that an argument is the address of, or NULL. */
static PyroStatedFunction *
function_argument (Scan *scan, const PyroCallArguments *arguments, gint index)
{
  guint64 address = arguments->value[index];
  gint found;

  if (!arguments->known[index])
    return NULL;
  if (arguments->loaded[index])
    address = pyro_statement_calls_find_own (scan->calls, address);
  found = find_start (scan, address);
  return found >= 0 ? get_function (scan, found) : NULL;
}

/* GST_DEBUG_FUNCPTR (function). */
static void
add_registered (Scan *scan, const PyroStatementKind *kind,
                const PyroCallArguments *arguments)
{
  const gchar *name = name_argument (scan, arguments, kind->function, FALSE);
  PyroStatedFunction *function
      = function_argument (scan, arguments, kind->code);

  if (name == NULL || function == NULL)
    return;
  function->has_registered |= function->registered != NULL
                              && !g_str_equal (function->registered, name);
  function->registered = name;
}

static void
set_program (PyroStatedFunction *function, const gchar *program,
             gboolean is_backup)
{
  function->has_programs
      |= function->program != NULL && !g_str_equal (function->program, program);
  g_free (function->program);
  function->program = g_strdup (program);
  function->is_backup = is_backup;
}

/* What orcc makes of a program is a function of its name that compiles it when
 * it is first called, and another one that does the same without ORC. */
static void
add_program (Scan *scan, PyroStatedFunction *function,
             const PyroStatementKind *kind, const PyroCallArguments *arguments)
{
  g_autofree gchar *program = NULL;
  PyroStatedFunction *backup;

  if (kind->role == PYRO_STATEMENT_ORC) {
    if (arguments->known[kind->function] && !arguments->loaded[kind->function])
      program = pyro_code_image_find_program (scan->image,
                                              arguments->value[kind->function]);
    if (program != NULL)
      set_program (function, program, FALSE);
    return;
  }
  backup = function_argument (scan, arguments, kind->code);
  if (backup != NULL && backup != function && function->program != NULL)
    set_program (backup, function->program, TRUE);
}

static void
add_statement (Scan *scan, const PyroStatementKind *kind, guint64 address)
{
  const gint index = find_current (scan, address);
  PyroCallArguments arguments;
  PyroStatedFunction *function;
  const gchar *name, *file = NULL;
  guint64 line = 0;

  if (index < 0 || scan->n_statements == STATEMENTS_MAX)
    return;
  scan->n_statements++;
  function = get_function (scan, index);
  pyro_call_reader_read (scan->reader, function->start, address, &arguments);
  if (kind->role == PYRO_STATEMENT_REGISTERS) {
    add_registered (scan, kind, &arguments);
    return;
  }
  if (kind->role != PYRO_STATEMENT_OF_CALLER) {
    add_program (scan, function, kind, &arguments);
    return;
  }
  name = name_argument (scan, &arguments, kind->function, TRUE);
  if (name == NULL)
    return;
  if (kind->file >= 0 && arguments.known[kind->file]
      && !arguments.loaded[kind->file])
    file = pyro_code_image_find_text (scan->image, arguments.value[kind->file]);
  if (kind->line >= 0 && arguments.known[kind->line]
      && !arguments.loaded[kind->line]
      && arguments.value[kind->line] < LINES_MAX)
    line = arguments.value[kind->line];
  add_name (function, name, file, line);
}

/* The code at ADDRESS calls TARGET, or ends with a jump there. */
static void
add_caller (Scan *scan, guint64 address, guint64 target)
{
  const gint to = find_start (scan, target);
  PyroStatedFunction *function;
  gint from;

  if (to < 0)
    return;
  function = get_function (scan, to);
  from = find_current (scan, address);
  if (from < 0 || from == to)
    return;
  if (function->n_callers == 0 || function->caller != (guint)from)
    function->n_callers++;
  function->caller = from;
}

static void
add_pointer (Scan *scan, guint64 target)
{
  const gint to = find_start (scan, target);

  if (to >= 0)
    get_function (scan, to)->is_pointed_at = TRUE;
}

/* The instructions that matter are looked for byte by byte: one that begins
 * elsewhere looks like one of them seldom, and like one with such a target all
 * but never. FALSE: the time is over. */
static gboolean
scan_section (Scan *scan, const PyroCodeSection *section,
              const PyroTimeLimit *limit)
{
  const guint8 *bytes = section->bytes;

  scan->before = -1;
  for (gsize i = 0; i + 5 <= section->size; i++) {
    const gsize left = section->size - i;
    const guint64 address = section->address + i;
    const PyroStatementKind *kind = NULL;
    gint32 distance;

    if (i % PYRO_TIME_LIMIT_BYTES == 0 && pyro_time_is_over (limit))
      return FALSE;
    switch (bytes[i]) {
    case 0xe8: /* call */
    case 0xe9: /* jmp */
      memcpy (&distance, bytes + i + 1, sizeof distance);
      kind = pyro_statement_calls_find (scan->calls, address + 5 + distance);
      if (kind == NULL)
        add_caller (scan, address, address + 5 + distance);
      break;
    case 0xff: /* call or jmp through a pointer */
      if (left < 6 || (bytes[i + 1] != 0x15 && bytes[i + 1] != 0x25))
        break;
      memcpy (&distance, bytes + i + 2, sizeof distance);
      kind = pyro_statement_calls_find_slot (scan->calls,
                                             address + 6 + distance);
      break;
    case 0x48: /* lea */
    case 0x4c:
      if (left < 7 || bytes[i + 1] != 0x8d || (bytes[i + 2] & 0xc7) != 0x05)
        break;
      memcpy (&distance, bytes + i + 3, sizeof distance);
      add_pointer (scan, address + 7 + distance);
      break;
    default:
      break;
    }
    if (kind != NULL)
      add_statement (scan, kind, address);
  }
  return TRUE;
}

static void
add_functions (Scan *scan)
{
  for (guint i = 0; i < pyro_fde_table_get_size (scan->fdes); i++) {
    const PyroRange *range = pyro_fde_table_get (scan->fdes, i);
    PyroStatedFunction function = { .start = range->start, .end = range->end };

    g_array_append_val (scan->functions, function);
    pyro_address_filter_add (&scan->starts, range->start);
  }
}

GArray *
pyro_statements_read (const PyroStatementCalls *calls,
                      const PyroCodeImage *image, const PyroFdeTable *fdes,
                      const PyroTimeLimit *limit)
{
  g_autoptr (PyroCallReader) reader = pyro_call_reader_new (image);
  g_autoptr (GArray) functions = NULL;
  g_autofree Scan *scan = NULL;

  if (reader == NULL || pyro_fde_table_get_size (fdes) > FUNCTIONS_MAX)
    return NULL;
  functions = g_array_new (FALSE, TRUE, sizeof (PyroStatedFunction));
  g_array_set_clear_func (functions, clear_function);
  scan = g_new0 (Scan, 1);
  scan->image = image;
  scan->fdes = fdes;
  scan->calls = calls;
  scan->reader = reader;
  scan->functions = functions;
  add_functions (scan);
  for (guint i = 0; i < image->sections->len; i++) {
    const PyroCodeSection *section
        = &g_array_index (image->sections, PyroCodeSection, i);

    if (section->is_code && !scan_section (scan, section, limit))
      return NULL;
  }
  return g_steal_pointer (&functions);
}
