/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "owners.h"

#include <string.h>

#include "label-word.h"
#include "libraries.h"
#include "live-elements.h"
#include "node-stack.h"
#include "nodes.h"
#include "unwinding/callers.h"
#include "unwinding/loader.h"
#include "unwinding/own-stack.h"

/* From pthread_create() out to the plugin, and from there to the base class
 * that called it. */
#define MAX_FRAMES 64
#define MAX_FRAMES_FROM_PLUGIN 12
#define MAX_FRAME_WORDS 1024

/* the library of a thread's start routine */

/* What a start routine's argument leads to tells more, where it is what such
 * routines usually have. But any function may be one (g_usleep()), with a
 * number for its argument. */
static const PyroLibrary *
find_behind (const PyroLibraries *libraries, gpointer argument, gsize offset)
{
  guintptr address = (guintptr)argument + offset, value;

  if (argument == NULL || !pyro_loader_is_readable (address, sizeof value))
    return NULL;
  memcpy (&value, (gconstpointer)address, sizeof value);
  return pyro_libraries_find (libraries, value);
}

static const PyroLibrary *
find_start (const PyroLibraries *libraries, gpointer start, gpointer argument)
{
  const PyroLibrary *library = pyro_libraries_find (libraries, (guintptr)start);

  if (library == NULL)
    return NULL;
  if (library->kind == PYRO_LIBRARY_GLIB && argument != NULL)
    library
        = find_behind (libraries, argument, G_STRUCT_OFFSET (GThread, func));
  else if (library->kind == PYRO_LIBRARY_CXX && argument != NULL)
    /* std::thread's state has a virtual function table first, which belongs to
     * whoever instantiated it. */
    library = find_behind (libraries, argument, 0);
  return library;
}

static gboolean
is_nobodys (const PyroLibrary *start)
{
  return start != NULL
         && (start->kind == PYRO_LIBRARY_GLIB
             || start->kind == PYRO_LIBRARY_PROCESS_WIDE);
}

/* Code without a file is like the application's. */
static gboolean
says_nothing (const PyroLibrary *start)
{
  return start == NULL || start->kind == PYRO_LIBRARY_PROGRAM
         || start->kind == PYRO_LIBRARY_OPENMP
         || start->kind == PYRO_LIBRARY_CXX;
}

/* the element that is current in the creator */

static gboolean
is_programs (const PyroLibrary *library)
{
  return library != NULL && library->kind == PYRO_LIBRARY_PROGRAM;
}

/* The element NODE may run code of LIBRARY on a thread; FALSE for the program's
 * if its plugin is another file: the application does that in a callback. */
static gboolean
may_run (const PyroLibraries *libraries, guint32 node,
         const PyroLibrary *library)
{
  const PyroLibrary *plugin
      = pyro_libraries_find_plugin (libraries, pyro_nodes_get_library (node));

  return plugin != NULL
         && pyro_libraries_links (libraries, plugin, library, FALSE);
}

/* the creator's stack */

typedef struct {
  const PyroLibraries *libraries;
  const PyroLibrary *start; /* of the start routine */
  const gchar *plugin;      /* once its first frame was met */
  guint n_frames, n_from_plugin;
  guint32 node;
} StackSearch;

/* The plugin that the code at PC belongs to, if it may own the thread. */
static const gchar *
find_plugin (const StackSearch *search, guintptr pc)
{
  const PyroLibrary *library = pyro_libraries_find (search->libraries, pc);

  return library != NULL && library->kind == PYRO_LIBRARY_PLAIN
                 && pyro_libraries_links (search->libraries, library,
                                          search->start, FALSE)
                 && !pyro_live_elements_is_only (0, library->name)
             ? library->name
             : NULL;
}

static gboolean
search_words (StackSearch *search, const guintptr *words, gsize n)
{
  search->node = pyro_live_elements_search (words, n, search->plugin);
  return search->node != 0;
}

/* FALSE: that is enough. */
static gboolean
begin_frame (StackSearch *search, guintptr pc)
{
  if (++search->n_frames > MAX_FRAMES)
    return FALSE;
  if (search->plugin == NULL)
    search->plugin = find_plugin (search, pc - 1);
  return search->plugin == NULL
         || ++search->n_from_plugin <= MAX_FRAMES_FROM_PLUGIN;
}

#if defined(HAVE_DL_FIND_OBJECT)

static bool
visit_caller (const PyroCaller *caller, void *data)
{
  StackSearch *search = data;

  return begin_frame (search, caller->pc)
         && (search->plugin == NULL
             || (!search_words (search, caller->registers,
                                PYRO_CALLER_N_REGISTERS)
                 && !search_words (search, caller->start,
                                   MIN ((gsize)(caller->limit - caller->start),
                                        MAX_FRAME_WORDS))));
}

static void
walk (guintptr low, guintptr high, StackSearch *search)
{
  pyro_callers_walk (low, high, visit_caller, search);
}

#else

/* Without a look-up that takes no lock, the compiled tables have to do: what
 * the collector has not seen yet ends the search, and what a function has saved
 * for its callers is searched where functions do that. */
typedef struct {
  StackSearch *search;
  guintptr saved[MAX_FRAMES * 12];
  guint n_saved;
} TableSearch;

static bool
visit_own_frame (const PyroOwnFrame *frame, void *data)
{
  TableSearch *tables = data;
  StackSearch *search = tables->search;

  if (!begin_frame (search, frame->pc))
    return FALSE;
  if (search->plugin != NULL)
    return !search_words (search, frame->registers, PYRO_OWN_N_REGISTERS)
           && !search_words (search, tables->saved, tables->n_saved)
           && !search_words (
               search, frame->start,
               MIN ((gsize)(frame->limit - frame->start), MAX_FRAME_WORDS));
  if (search->n_frames == 1)
    for (guint i = 0; i < PYRO_OWN_N_REGISTERS; i++)
      tables->saved[tables->n_saved++] = frame->registers[i];
  for (const guintptr *word = frame->saved;
       word < frame->saved_limit
       && tables->n_saved < G_N_ELEMENTS (tables->saved);
       word++)
    tables->saved[tables->n_saved++] = *word;
  return TRUE;
}

static void
walk (guintptr low, guintptr high, StackSearch *search)
{
  TableSearch tables = { .search = search };

  pyro_walk_own_stack (low, high, visit_own_frame, &tables);
}

#endif

static guint32
search_stack (const PyroLibraries *libraries, const PyroLibrary *start)
{
  StackSearch search = { .libraries = libraries, .start = start };
  const PyroNodeStack *stack = pyro_own_node_stack;
  guintptr low = 0, high = 0;

  if (stack != NULL) {
    low = stack->announcement.stack_low;
    high = stack->announcement.stack_high;
  }
  walk (low, high, &search);
  return search.node;
}

/* rules */

static guint64
find_owner (const PyroLibraries *libraries, guint64 creator,
            gpointer start_routine, gpointer argument)
{
  guint32 node = pyro_label_word_node (creator); /* 0: not known now */
  const PyroLibrary *start = find_start (libraries, start_routine, argument);
  const PyroLibrary *plugin;
  const gchar *name;
  gboolean is_first
      = pyro_label_word_attribution (creator) != PYRO_ATTRIBUTION_INHERITED;
  guint team;
  gboolean may_own;

  if (creator == PYRO_LABEL_SHARED)
    return is_nobodys (start) ? 0 : creator;
  if (is_nobodys (start)
      || (is_first && is_programs (start) && !may_run (libraries, node, start)))
    return 0;
  if (!says_nothing (start) && is_first) {
    name = pyro_nodes_get_library (node);
    plugin = node != 0 ? pyro_libraries_find_name (libraries, name) : NULL;
    may_own = plugin != NULL
              && pyro_libraries_links (libraries, plugin, start, FALSE);
    if (!may_own || !pyro_live_elements_is_only (node, name)) {
      guint32 from_stack = search_stack (libraries, start);

      if (from_stack != 0)
        node = from_stack;
      else if (!may_own)
        node = 0;
    }
  }
  team = start != NULL ? start->team : 0;
  if (team == 0 && !is_first)
    team = pyro_label_word_team (creator);
  return pyro_label_word_set_team (
      pyro_label_word (node, PYRO_ATTRIBUTION_INHERITED), team);
}

guint64
pyro_owners_find (guint64 creator, gpointer start_routine, gpointer argument)
{
  const PyroLibraries *libraries;
  guint64 owner = 0;

  if (creator == 0)
    return 0;
  /* 0: that is not known at this moment, and the stack alone can tell. */
  creator = pyro_nodes_try_settle (creator);
  libraries = pyro_libraries_enter ();
  if (libraries != NULL) {
    const PyroLibrary *start
        = pyro_libraries_find (libraries, (guintptr)start_routine);

    owner = find_owner (libraries, creator, start_routine, argument);
    if (start != NULL)
      pyro_libraries_note_owner (start, owner);
  }
  pyro_libraries_leave ();
  return owner;
}

guint64
pyro_owners_check_task (guint64 label, gpointer func)
{
  const PyroLibraries *libraries;
  guint32 node;
  guint64 known = pyro_nodes_try_settle (label);

  if (known != 0)
    label = known; /* else it stays a question */
  if (label == 0 || label == PYRO_LABEL_SHARED)
    return label;
  node = pyro_label_word_node (label);
  libraries = pyro_libraries_enter ();
  if (libraries != NULL) {
    const PyroLibrary *library
        = pyro_libraries_find (libraries, (guintptr)func);

    /* Code without a file is like the application's. */
    if (library == NULL
        || ((library->kind == PYRO_LIBRARY_PLAIN || is_programs (library))
            && (node == 0 || !may_run (libraries, node, library))))
      label = 0;
  }
  pyro_libraries_leave ();
  return label;
}

gboolean
pyro_owners_is_everybodys (gpointer func)
{
  const PyroLibraries *libraries = pyro_libraries_enter ();
  gboolean result
      = libraries != NULL
        && is_nobodys (pyro_libraries_find (libraries, (guintptr)func));

  pyro_libraries_leave ();
  return result;
}

gboolean
pyro_owners_is_library (gpointer start_routine, gpointer argument)
{
  const PyroLibraries *libraries = pyro_libraries_enter ();
  const PyroLibrary *start
      = libraries != NULL ? find_start (libraries, start_routine, argument)
                          : NULL;
  gboolean result = start != NULL
                    && (start->kind == PYRO_LIBRARY_PLAIN
                        || start->kind == PYRO_LIBRARY_GLIB
                        || start->kind == PYRO_LIBRARY_PROCESS_WIDE);

  pyro_libraries_leave ();
  return result;
}
