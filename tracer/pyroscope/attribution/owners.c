/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "owners.h"

#include <unwind.h>

#include "label-word.h"
#include "libraries.h"
#include "live-elements.h"
#include "nodes.h"

/* From pthread_create() out to the plugin, and from there to the base class
 * that called it. */
#define MAX_FRAMES 64
#define MAX_FRAMES_FROM_PLUGIN 12
#define MAX_FRAME_WORDS 1024

/* Registers that functions preserve, by DWARF number (System V ABI, AMD64,
 * figure 3.36: rbx, rbp, r12 to r15; AAPCS64: x19 to x29). */
#if defined(__x86_64__)
static const gint preserved[] = { 3, 6, 12, 13, 14, 15 };
#elif defined(__aarch64__)
static const gint preserved[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 };
#else
static const gint preserved[] = {};
#endif

/* the library of a thread's start routine */

static const PyroLibrary *
find_start (const PyroLibraries *libraries, gpointer start, gpointer argument)
{
  const PyroLibrary *library = pyro_libraries_find (libraries, (guintptr)start);

  if (library == NULL)
    return NULL;
  if (library->kind == PYRO_LIBRARY_GLIB && argument != NULL)
    library = pyro_libraries_find (libraries,
                                   (guintptr)((GThread *)argument)->func);
  else if (library->kind == PYRO_LIBRARY_CXX && argument != NULL)
    /* std::thread's state has a virtual function table first, which belongs to
     * whoever instantiated it. */
    library = pyro_libraries_find (libraries, *(guintptr *)argument);
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

typedef struct {
  guint32 node;
  const gchar *library;
  gboolean found;
} OtherElement;

static gboolean
is_other (const PyroLiveElement *element, gpointer data)
{
  OtherElement *other = data;

  other->found
      = element->library == other->library && element->node != other->node;
  return !other->found;
}

static gboolean
is_only_one (guint32 node, const gchar *library)
{
  OtherElement other = { node, library, FALSE };

  pyro_live_elements_foreach (is_other, &other);
  return !other.found;
}

/* the creator's stack */

typedef struct {
  guintptr start;      /* an address in the start routine's library */
  const gchar *plugin; /* once its first frame was met */
  guint n_frames, n_from_plugin;
  /* The frame that was visited last: its words end where the next begins. */
  guintptr frame_start;
  guint32 node;
} StackSearch;

/* The plugin that the code at PC belongs to, if it may own the thread. */
static const gchar *
find_plugin (guintptr pc, guintptr start_address)
{
  const PyroLibraries *libraries = pyro_libraries_lock ();
  const PyroLibrary *library = pyro_libraries_find (libraries, pc);
  const PyroLibrary *start = pyro_libraries_find (libraries, start_address);
  const gchar *name = NULL;

  if (library != NULL && library->kind == PYRO_LIBRARY_PLAIN && start != NULL
      && pyro_libraries_links (libraries, library, start, FALSE)
      && !is_only_one (0, library->name))
    name = library->name;
  pyro_libraries_unlock ();
  return name;
}

static _Unwind_Reason_Code
visit_frame (struct _Unwind_Context *context, void *data)
{
  StackSearch *search = data;
  guintptr words[G_N_ELEMENTS (preserved) + 1];
  guintptr frame = (guintptr)_Unwind_GetCFA (context);

  if (search->plugin != NULL && search->frame_start < frame)
    search->node = pyro_live_elements_search (
        (const guintptr *)search->frame_start,
        MIN ((frame - search->frame_start) / sizeof (guintptr),
             MAX_FRAME_WORDS),
        search->plugin);
  search->frame_start = frame;
  if (search->node != 0 || ++search->n_frames > MAX_FRAMES)
    return _URC_END_OF_STACK;

  if (search->plugin == NULL)
    search->plugin = find_plugin (_Unwind_GetIP (context) - 1, search->start);
  if (search->plugin == NULL)
    return _URC_NO_REASON;
  for (guint i = 0; i < G_N_ELEMENTS (preserved); i++)
    words[i] = _Unwind_GetGR (context, preserved[i]);
  search->node = pyro_live_elements_search (words, G_N_ELEMENTS (preserved),
                                            search->plugin);
  if (search->node != 0 || ++search->n_from_plugin > MAX_FRAMES_FROM_PLUGIN)
    return _URC_END_OF_STACK;
  return _URC_NO_REASON;
}

/* libgcc's unwinder: no lock and no allocation where the C library has
 * _dl_find_object() (glibc 2.35). */
static guint32
search_stack (guintptr start)
{
  StackSearch search = { .start = start };

  _Unwind_Backtrace (visit_frame, &search);
  return search.node;
}

/* rules */

guint64
pyro_owners_find (guint64 creator, gpointer start_routine, gpointer argument)
{
  guint32 node = pyro_label_word_node (creator);
  const gchar *name;
  const PyroLibraries *libraries;
  const PyroLibrary *start, *plugin;
  gboolean may_own, stack_tells = FALSE;
  guint32 from_stack = 0;
  guintptr start_address = 0;

  if (node == 0)
    return 0;
  name = pyro_nodes_get_library (node);
  libraries = pyro_libraries_lock ();
  if (libraries == NULL) {
    pyro_libraries_unlock ();
    return 0;
  }
  start = find_start (libraries, start_routine, argument);
  if (is_nobodys (start)) {
    pyro_libraries_unlock ();
    return 0;
  }
  if (says_nothing (start)
      || pyro_label_word_attribution (creator) == PYRO_ATTRIBUTION_INHERITED) {
    may_own = TRUE;
  } else {
    plugin = pyro_libraries_find_name (libraries, name);
    may_own = plugin != NULL
              && pyro_libraries_links (libraries, plugin, start, FALSE);
    stack_tells = !may_own || !is_only_one (node, name);
    start_address = start->start;
  }
  pyro_libraries_unlock ();

  if (stack_tells)
    from_stack = search_stack (start_address);
  if (from_stack != 0)
    node = from_stack;
  else if (!may_own)
    node = 0;
  return pyro_label_word (node, PYRO_ATTRIBUTION_INHERITED);
}

/* the only one */

typedef struct {
  const PyroLibraries *libraries;
  const PyroLibrary *start;
  const gchar *unrelated; /* the last library that does not link START */
  guint32 node;
  gboolean several;
} OnlyElement;

static gboolean
look_for_the_only (const PyroLiveElement *element, gpointer data)
{
  OnlyElement *only = data;
  const PyroLibrary *plugin;

  if (element->node == only->node || element->library == only->unrelated)
    return TRUE;
  plugin = pyro_libraries_find_name (only->libraries, element->library);
  if (plugin == NULL
      || !pyro_libraries_links (only->libraries, plugin, only->start, TRUE)) {
    only->unrelated = element->library;
    return TRUE;
  }
  only->several = only->node != 0;
  only->node = element->node;
  return !only->several;
}

/* The outermost frame that is neither the C library's nor of a library that
 * starts threads for others, nor ours. */
static const PyroLibrary *
find_sampled_start (const PyroLibraries *libraries, const guintptr *pcs,
                    guint n_pcs)
{
  const PyroLibrary *own
      = pyro_libraries_find (libraries, (guintptr)pyro_owners_guess);

  while (n_pcs > 0) {
    const PyroLibrary *library
        = pyro_libraries_find (libraries, pcs[--n_pcs] - 1);

    if (library == NULL)
      return NULL;
    if (library != own && library->kind != PYRO_LIBRARY_GLIB
        && library->kind != PYRO_LIBRARY_CXX
        && !g_str_has_prefix (library->name, "libc.so")
        && !g_str_has_prefix (library->name, "libpthread.so"))
      return library;
  }
  return NULL;
}

guint64
pyro_owners_guess (const guintptr *pcs, guint n_pcs)
{
  OnlyElement only = { .libraries = pyro_libraries_lock () };

  if (only.libraries != NULL) {
    only.start = find_sampled_start (only.libraries, pcs, n_pcs);
    if (only.start != NULL && only.start->kind == PYRO_LIBRARY_PLAIN)
      pyro_live_elements_foreach (look_for_the_only, &only);
  }
  pyro_libraries_unlock ();
  return only.several ? 0
                      : pyro_label_word (only.node, PYRO_ATTRIBUTION_LIBRARY);
}
