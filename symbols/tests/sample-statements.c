/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that name themselves, as the macros of GStreamer and GLib make
 * them. What these call is nowhere defined: the library is never loaded. */
#include <stddef.h>

typedef void (*Function) (void);

void gst_debug_log (void *category, int level, const char *file,
                    const char *function, int line, void *object,
                    const char *format, ...);
void _gst_debug_register_funcptr (Function function, const char *name);
void g_return_if_fail_warning (const char *domain, const char *function,
                               const char *expression);
void
gst_element_message_full (void *element, int type, unsigned domain, int code,
                          char *text, char *debug, const char *file,
                          const char *function, int line);

extern int sample_level;
extern void *sample_object;
extern int sample_work (int x);

#define DEBUG(text, ...)                                                   \
  do {                                                                     \
    if (__builtin_expect (sample_level > 4, 0))                            \
      gst_debug_log (NULL, 5, __FILE__, __func__, __LINE__, sample_object, \
                     text, ##__VA_ARGS__);                                 \
  } while (0)

#define NOINLINE __attribute__ ((noinline))
#define INLINE inline __attribute__ ((always_inline))

/* Marks an address; it has no size, so it is never a name. */
#define POINT(name) __asm__ volatile(#name ": nop")

static NOINLINE int
stated_twice (int x)
{
  POINT (stated_twice_point);
  DEBUG ("begin %d", x);
  x = sample_work (x);
  DEBUG ("end %d", x);
  return x + 1;
}

static NOINLINE int
stated_on_failure (int x)
{
  POINT (stated_on_failure_point);
  if (x < 0) {
    g_return_if_fail_warning ("sample", __func__, "x >= 0");
    return 0;
  }
  return sample_work (x) + 2;
}

static NOINLINE int
stated_in_message (int x)
{
  POINT (stated_in_message_point);
  if (sample_work (x) == 0)
    gst_element_message_full (sample_object, 1, 2, 3, NULL, NULL, __FILE__,
                              __func__, __LINE__);
  return sample_work (x) + 3;
}

/* No statement of its own. */
static void
stated_nowhere_chain (void)
{
  POINT (stated_nowhere_chain_point);
  sample_work (4);
}

/* It is registered under another name. */
static void
stated_otherwise_chain (void)
{
  POINT (stated_otherwise_chain_point);
  DEBUG ("one");
  sample_work (6);
  DEBUG ("two");
}

/* Both are registered under one name. */
static void
shares_name_event (void)
{
  POINT (shares_name_event_point);
  sample_work (7);
}

static void
shares_name_query (void)
{
  POINT (shares_name_query_point);
  sample_work (8);
}

/* It is registered under two names. */
static void
has_two_names_chain (void)
{
  POINT (has_two_names_chain_point);
  sample_work (9);
}

/* It is inlined twice: whose are its statements? */
static INLINE int
inlined_twice (int x)
{
  DEBUG ("inlined %d", x);
  DEBUG ("again %d", x);
  return sample_work (x) * 5;
}

static NOINLINE int
inlines_first (int x)
{
  POINT (inlines_first_point);
  return inlined_twice (x) + 6;
}

static NOINLINE int
inlines_second (int x)
{
  POINT (inlines_second_point);
  return inlined_twice (x) + 7;
}

int sample_exported (int x);

int
sample_exported (int x)
{
  return sample_work (x) - 1;
}

/* As if the compiler had left sample_exported()'s statements out where they
 * can never be reached, and inlined them here. */
static NOINLINE int
inlines_exported (int x)
{
  static const char function[] = "sample_exported";

  POINT (inlines_exported_point);
  if (x > 3)
    gst_debug_log (NULL, 5, __FILE__, function, __LINE__, sample_object, "x");
  if (x > 4)
    gst_debug_log (NULL, 5, __FILE__, function, __LINE__, sample_object, "y");
  return sample_work (x) + 8;
}

/* Most statements, and the highest line, are its own. */
static INLINE int
inlined_once (int x)
{
  DEBUG ("inlined once %d", x);
  return sample_work (x) * 9;
}

static NOINLINE int
mostly_stated (int x)
{
  POINT (mostly_stated_point);
  x = inlined_once (x);
  DEBUG ("one %d", x);
  x = sample_work (x);
  DEBUG ("two %d", x);
  x = sample_work (x);
  DEBUG ("three %d", x);
  return x;
}

/* As orcc makes functions of programs: the bytecode begins with their name. */
void *orc_program_new_from_static_bytecode (const unsigned char *bytecode);
void orc_program_set_backup_function (void *program, Function function);

static void
_backup_program_one (void)
{
  POINT (_backup_program_one_point);
  sample_work (5);
}

static NOINLINE int
program_one (int x)
{
  static const unsigned char bytecode[]
      = { 1,   9,   11,  'p', 'r', 'o', 'g', 'r', 'a',
          'm', '_', 'o', 'n', 'e', 5,   4,   0 };
  void *program;

  POINT (program_one_point);
  program = orc_program_new_from_static_bytecode (bytecode);
  orc_program_set_backup_function (program, _backup_program_one);
  return sample_work (x);
}

int sample_calls (int x);
int sample_calls_again (int x);
void sample_registers (void);

int
sample_calls (int x)
{
  return stated_twice (x) ^ stated_on_failure (x) ^ stated_in_message (x)
         ^ inlines_first (x) ^ inlines_second (x) ^ inlines_exported (x)
         ^ mostly_stated (x) ^ program_one (x);
}

int
sample_calls_again (int x)
{
  return sample_calls (stated_twice (x)) ^ mostly_stated (x);
}

void
sample_registers (void)
{
  _gst_debug_register_funcptr (stated_nowhere_chain, "stated_nowhere_chain");
  _gst_debug_register_funcptr (stated_otherwise_chain, "wrong_name_chain");
  _gst_debug_register_funcptr (shares_name_event, "shares_name");
  _gst_debug_register_funcptr (shares_name_query, "shares_name");
  _gst_debug_register_funcptr (has_two_names_chain, "has_two_names_chain");
  _gst_debug_register_funcptr (has_two_names_chain, "has_one_name_chain");
}
