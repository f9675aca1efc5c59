/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/statement-names.h"

#include "symbols/statement-calls.h"
#include "symbols/statements.h"
#include "symbols/virtual-functions.h"

#include <string.h>

/* A function that inlines another one and has no statement of its own looks
 * like that one. It is the likelier, the fewer statements there are, and the
 * more code for each. The bounds (in bytes) were chosen on the 109 libraries
 * and plugins of GStreamer 1.22, core, base and good, as GCC 12 makes them,
 * where 0.35 % of the names are wrong with them. */
#define BYTES_MAX_SINGLE 256 /* one statement; nothing points at it */
#define BYTES_MAX_POINTED \
  160 /* pointed at, and not called like a virtual one */

struct _PyroStatementNames {
  GHashTable *names;    /* guint64 start → name in strings */
  GHashTable *programs; /* set of guint64 start */
  GStringChunk *strings;
};

typedef struct {
  const PyroStatementCalls *calls;
  GArray *functions;      /* of PyroStatedFunction */
  GHashTable *registered; /* name → functions that have it */
  GHashTable *stated;     /* PyroStatedName → functions that have it */
} Evidence;

static guint
stated_hash (gconstpointer key)
{
  const PyroStatedName *stated = key;

  return g_str_hash (stated->name)
         ^ (stated->file != NULL ? g_str_hash (stated->file) : 0);
}

static gboolean
stated_equal (gconstpointer a, gconstpointer b)
{
  const PyroStatedName *x = a, *y = b;

  return g_str_equal (x->name, y->name) && g_strcmp0 (x->file, y->file) == 0;
}

/* Each file may have a static function of a name; in one file it is the same
 * one, which others inline. */
static void
count_functions (Evidence *evidence)
{
  for (guint i = 0; i < evidence->functions->len; i++) {
    const PyroStatedFunction *function
        = &g_array_index (evidence->functions, PyroStatedFunction, i);

    if (function->registered != NULL) {
      const guint n = GPOINTER_TO_UINT (
          g_hash_table_lookup (evidence->registered, function->registered));

      g_hash_table_insert (evidence->registered, (gpointer)function->registered,
                           GUINT_TO_POINTER (n + 1));
    }
    for (guint j = 0; function->names != NULL && j < function->names->len;
         j++) {
      PyroStatedName *stated
          = &g_array_index (function->names, PyroStatedName, j);
      const guint n
          = GPOINTER_TO_UINT (g_hash_table_lookup (evidence->stated, stated));

      g_hash_table_insert (evidence->stated, stated, GUINT_TO_POINTER (n + 1));
    }
  }
}

/* What headers define is inlined everywhere. */
static gboolean
is_of_header (const PyroStatedName *stated)
{
  const gchar *name = stated->name, *p = name;

  if (stated->file != NULL && g_str_has_suffix (stated->file, ".h"))
    return TRUE;
  if (g_str_equal (name, "gst_pad_set_caps")
      || g_str_has_suffix (name, "_inline")
      || (g_str_has_prefix (name, "gst_bi") /* gst_bit_reader_... */
          && g_str_has_suffix (name, "_unchecked")))
    return TRUE;
  while (*p != '\0' && !g_ascii_islower (*p))
    p++;
  return *p == '\0'; /* a macro made it */
}

/* Whether a function that is neither exported nor registered may have it. What
 * G_DEFINE_TYPE() makes inlines every class_init. */
static gboolean
is_free (const Evidence *evidence, const PyroStatedName *stated)
{
  return !is_of_header (stated)
         && !g_str_has_suffix (stated->name, "_class_init")
         && !g_hash_table_contains (evidence->registered, stated->name)
         && pyro_statement_calls_find_exported (evidence->calls, stated->name)
                == 0;
}

/* Whether the only name in FUNCTION is its own. */
static gboolean
is_sure_alone (const PyroStatedFunction *function, const PyroStatedName *stated)
{
  const guint64 bytes = (function->end - function->start) / stated->n;

  if (function->is_pointed_at)
    return pyro_virtual_function_ends (stated->name)
           || bytes < BYTES_MAX_POINTED;
  return function->n_callers == 0 /* a piece, or reached through data */
         || stated->n > 1 || bytes < BYTES_MAX_SINGLE;
}

/* Whether the name with the highest line is, of several in FUNCTION that have
 * N_STATEMENTS. */
static gboolean
is_sure_among (const PyroStatedFunction *function, const PyroStatedName *stated,
               guint n_statements, guint n_virtual)
{
  if (function->is_pointed_at)
    return stated->line > 0 && n_virtual == 1
           && pyro_virtual_function_ends (stated->name);
  return (stated->n >= 6 && 5 * stated->n >= 3 * n_statements)
         || (stated->n >= 3 && 3 * stated->n >= 2 * n_statements);
}

/* The name that the statements in FUNCTION are sure of, or NULL. */
static const gchar *
decide_by_statements (const Evidence *evidence,
                      const PyroStatedFunction *function)
{
  const PyroStatedName *highest = NULL;
  guint n = 0, n_statements = 0, n_virtual = 0;

  for (guint i = 0; function->names != NULL && i < function->names->len; i++) {
    const PyroStatedName *stated
        = &g_array_index (function->names, PyroStatedName, i);

    if (!is_free (evidence, stated))
      continue;
    n++;
    n_statements += stated->n;
    n_virtual += pyro_virtual_function_ends (stated->name);
    /* What is inlined is defined above, where it is not declared first. */
    if (highest == NULL || stated->line > highest->line)
      highest = stated;
  }
  if (n == 0
      || GPOINTER_TO_UINT (g_hash_table_lookup (evidence->stated, highest)) > 1)
    return NULL;
  if (n == 1 ? is_sure_alone (function, highest)
             : is_sure_among (function, highest, n_statements, n_virtual))
    return highest->name;
  return NULL;
}

static gboolean
is_stated (const PyroStatedFunction *function, const gchar *name)
{
  for (guint i = 0; function->names != NULL && i < function->names->len; i++) {
    if (g_str_equal (g_array_index (function->names, PyroStatedName, i).name,
                     name))
      return TRUE;
  }
  return FALSE;
}

/* The name of FUNCTION, or NULL. A macro that registers a function under the
 * name of another one, or a linker that makes one function of equal ones, is
 * seen by what contradicts it. */
static const gchar *
decide (const Evidence *evidence, const PyroStatedFunction *function)
{
  const gchar *registered = function->registered;
  const gchar *stated = decide_by_statements (evidence, function);

  if (registered == NULL)
    return stated;
  if (function->has_registered
      || GPOINTER_TO_UINT (
             g_hash_table_lookup (evidence->registered, registered))
             > 1
      || (stated != NULL && !is_stated (function, registered)))
    return NULL;
  return registered;
}

PyroStatementNames *
pyro_statement_names_new (PyroElfFile *file, const PyroFdeTable *fdes,
                          const PyroTimeLimit *limit)
{
  g_autoptr (PyroCodeImage) image = NULL;
  g_autoptr (PyroStatementCalls) calls = NULL;
  g_autoptr (GArray) functions = NULL;
  PyroStatementNames *names;
  Evidence evidence;

  calls = pyro_statement_calls_new (file, limit);
  if (calls == NULL)
    return NULL;
  image = pyro_code_image_new (file);
  if (image == NULL)
    return NULL;
  pyro_statement_calls_find_stubs (calls, image);
  functions = pyro_statements_read (calls, image, fdes, limit);
  if (functions == NULL)
    return NULL;

  evidence.calls = calls;
  evidence.functions = functions;
  evidence.registered = g_hash_table_new (g_str_hash, g_str_equal);
  evidence.stated = g_hash_table_new (stated_hash, stated_equal);
  count_functions (&evidence);
  names = g_new0 (PyroStatementNames, 1);
  names->names
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  names->programs
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  names->strings = g_string_chunk_new (4096);
  for (guint i = 0; i < functions->len; i++) {
    const PyroStatedFunction *function
        = &g_array_index (functions, PyroStatedFunction, i);
    g_autofree gchar *backup = NULL;
    const gchar *name;

    if (function->program != NULL && !function->has_programs) {
      backup = g_strconcat ("_backup_", function->program, NULL);
      name = function->is_backup ? backup : function->program;
      if (!function->is_backup)
        g_hash_table_add (names->programs,
                          g_memdup2 (&function->start, sizeof (guint64)));
    } else {
      name = decide (&evidence, function);
    }
    if (name != NULL)
      g_hash_table_insert (names->names,
                           g_memdup2 (&function->start, sizeof function->start),
                           g_string_chunk_insert_const (names->strings, name));
  }
  g_hash_table_unref (evidence.registered);
  g_hash_table_unref (evidence.stated);
  return names;
}

void
pyro_statement_names_free (PyroStatementNames *names)
{
  g_hash_table_unref (names->names);
  g_hash_table_unref (names->programs);
  g_string_chunk_free (names->strings);
  g_free (names);
}

guint
pyro_statement_names_get_size (const PyroStatementNames *names)
{
  return g_hash_table_size (names->names);
}

const gchar *
pyro_statement_names_lookup (const PyroStatementNames *names, guint64 start)
{
  return g_hash_table_lookup (names->names, &start);
}

gboolean
pyro_statement_names_is_program (const PyroStatementNames *names, guint64 start)
{
  return g_hash_table_contains (names->programs, &start);
}
