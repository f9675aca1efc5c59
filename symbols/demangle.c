/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The demangler is GNU libiberty's, for it knows both languages in one place
 * and is what binutils, gdb and gcc use. __cxa_demangle() would pull the C++
 * run-time library into the process and does not know Rust's v0 scheme.
 * libiberty is a static library; symbols_dep keeps its names out of what we
 * export.
 */
#include "symbols/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

/* Back references let a name of a hundred bytes expand to gigabytes. */
#define EXPANDED_BYTES_MAX 16384

typedef struct {
  GString *text;
  jmp_buf too_long;
} Output;

static void
append (const char *text, size_t length, void *user_data)
{
  Output *output = user_data;

  /* The demangler cannot be told to stop, but it has a way out: through the
   * callbacks it keeps all it has on its stack. (The one exception is the
   * buffer of a Rust identifier in Punycode, lost in this case only.) */
  if (output->text->len + length > EXPANDED_BYTES_MAX)
    longjmp (output->too_long, 1);
  g_string_append_len (output->text, text, length);
}

typedef int (*Demangler) (const char *, int, demangle_callbackref, void *);

static gchar *
demangle_with (Demangler demangler, const gchar *name)
{
  Output output;

  output.text = g_string_new (NULL);
  if (setjmp (output.too_long) == 0
      && demangler (name, DMGL_PARAMS | DMGL_ANSI, append, &output))
    return g_string_free (output.text, FALSE);
  return g_string_free (output.text, TRUE);
}

gchar *
pyro_demangle (const gchar *name)
{
  gchar *demangled;

  if (!g_str_has_prefix (name, "_Z") && !g_str_has_prefix (name, "_R"))
    return NULL;
  /* Rust first: its legacy names are valid C++ names as well. */
  demangled = demangle_with (rust_demangle_callback, name);
  if (demangled == NULL)
    demangled = demangle_with (cplus_demangle_v3_callback, name);
  return demangled;
}
