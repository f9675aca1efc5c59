/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "late-owners.h"

#include <string.h>

#include "label-word.h"
#include "libraries.h"
#include "live-elements.h"
#include "nodes.h"
#include "teams.h"

/* the only one */

typedef struct {
  const PyroLibraries *libraries;
  const PyroLibrary *start;
  guint32 node;
  gboolean several;
} OnlyElement;

static gboolean
look_for_the_only (const gchar *library, gpointer data)
{
  OnlyElement *only = data;
  const PyroLibrary *plugin
      = pyro_libraries_find_name (only->libraries, library);
  gboolean several;
  guint32 node;

  if (plugin == NULL
      || !pyro_libraries_links (only->libraries, plugin, only->start, TRUE))
    return TRUE;
  node = pyro_live_elements_get_only (library, &several);
  only->several = several || (node != 0 && only->node != 0);
  only->node |= node;
  return !only->several;
}

/* They start threads for others. GStreamer does so for a GstTask, whose
 * function is the next frame. */
static gboolean
starts_for_others (const PyroLibrary *library)
{
  return library->kind == PYRO_LIBRARY_GLIB || library->kind == PYRO_LIBRARY_CXX
         || g_str_has_prefix (library->name, "libgstreamer-1.0.so")
         || g_str_has_prefix (library->name, "libc.so")
         || g_str_has_prefix (library->name, "libpthread.so");
}

/* The outermost frame that is neither of a library that starts threads for
 * others, nor ours. */
static const PyroLibrary *
find_sampled_start (const PyroLibraries *libraries, const guintptr *pcs,
                    guint n_pcs)
{
  const PyroLibrary *own
      = pyro_libraries_find (libraries, (guintptr)pyro_late_owners_guess);

  while (n_pcs > 0) {
    const PyroLibrary *library
        = pyro_libraries_find (libraries, pcs[--n_pcs] - 1);

    if (library == NULL)
      return NULL;
    if (library != own && !starts_for_others (library))
      return library;
  }
  return NULL;
}

/* Answers that hold as long as neither the libraries nor the elements in use
 * change; the caller's. */
#define N_ANSWERS 64 /* a power of two */

static struct {
  const PyroLibrary *start; /* in the table of number LIBRARIES */
  guint64 libraries, elements;
  guint64 label;
} answers[N_ANSWERS];

static guint64
guess_by_start (const PyroLibraries *libraries, const PyroLibrary *start)
{
  guint at = (guint)((guintptr)start * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
                     >> 58);
  guint64 elements = pyro_live_elements_get_generation ();
  OnlyElement only = { .libraries = libraries, .start = start };

  if (answers[at].start != start || answers[at].elements != elements
      || answers[at].libraries != pyro_libraries_get_serial (libraries)) {
    pyro_live_elements_foreach_library (look_for_the_only, &only);
    answers[at].start = start;
    answers[at].elements = elements;
    answers[at].libraries = pyro_libraries_get_serial (libraries);
    answers[at].label
        = only.several ? 0
                       : pyro_label_word (only.node, PYRO_ATTRIBUTION_LIBRARY);
  }
  return answers[at].label;
}

/* teams */

typedef struct {
  const PyroLibraries *libraries;
  const PyroLibrary *plugin;
  guint team;
  gboolean found;
  guint32 node; /* the only one that uses it */
  guint n;      /* how many do: 2 is several */
} TeamSearch;

static gboolean
look_for_the_way (const PyroLibrary *library, gpointer data)
{
  TeamSearch *search = data;

  search->found = pyro_teams_is_way_to (search->team, library->name)
                  && pyro_libraries_links (search->libraries, search->plugin,
                                           library, FALSE);
  return !search->found;
}

static gboolean
count_users (const gchar *library, gpointer data)
{
  TeamSearch *search = data;
  gboolean several;
  guint32 node = pyro_live_elements_get_only (library, &several);

  if (node == 0 && !several)
    return TRUE;
  search->plugin = pyro_libraries_find_plugin (search->libraries, library);
  if (search->plugin == NULL)
    return TRUE;
  search->found = FALSE;
  pyro_libraries_foreach (search->libraries, look_for_the_way, search);
  if (search->found) {
    search->n += several ? 2 : 1;
    search->node = node;
  }
  return search->n < 2;
}

/* The collector's. What holds as long as neither the libraries nor the elements
 * in use change; and the makers of threads that were seen to be shared. */
static struct {
  gboolean is_known;
  guint64 libraries, elements;
  guint32 node;
  guint n;
} users[1 << PYRO_LABEL_TEAM_BITS];

#define MAX_SHARED 4096
static GHashTable *shared; /* label words */

static void
find_users (const PyroLibraries *libraries, guint team)
{
  guint64 elements = pyro_live_elements_get_generation ();
  TeamSearch search = { .libraries = libraries, .team = team };

  if (users[team].is_known && users[team].elements == elements
      && users[team].libraries == pyro_libraries_get_serial (libraries))
    return;
  pyro_live_elements_foreach_library (count_users, &search);
  users[team].is_known = TRUE;
  users[team].elements = elements;
  users[team].libraries = pyro_libraries_get_serial (libraries);
  users[team].node = search.node;
  users[team].n = search.n;
}

/* Where nobody uses it any more, its maker did until now. What has it by
 * dlopen() links nothing that tells: other elements of its plugin may have it,
 * too. */
static gboolean
is_shared (const PyroLibraries *libraries, guint64 label, guint team)
{
  guint32 maker = pyro_label_word_node (label);

  find_users (libraries, team);
  return users[team].n > 1 || (users[team].n == 1 && users[team].node != maker)
         || !pyro_live_elements_is_only (maker, pyro_nodes_get_library (maker));
}

/* LABEL: that of the element for which the team's library was loaded, or 0. */
static guint64
guess_team (const PyroLibraries *libraries, guint team, guint64 label)
{
  find_users (libraries, team);
  if (label != 0)
    return pyro_label_word_set_team (label, team);
  return users[team].n > 0 ? PYRO_LABEL_SHARED : 0;
}

guint64
pyro_late_owners_settle (guint64 label)
{
  guint team = pyro_label_word_team (label);
  const PyroLibraries *libraries;

  if (team == 0 || label & PYRO_LABEL_QUESTION)
    return label;
  if (shared == NULL)
    shared = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  if (g_hash_table_contains (shared, &label))
    return PYRO_LABEL_SHARED;
  libraries = pyro_libraries_enter ();
  if (libraries != NULL && is_shared (libraries, label, team)) {
    /* Their elements went long ago. */
    if (g_hash_table_size (shared) >= MAX_SHARED)
      g_hash_table_remove_all (shared);
    g_hash_table_add (shared, g_memdup2 (&label, sizeof label));
    label = PYRO_LABEL_SHARED;
  }
  pyro_libraries_leave ();
  return pyro_label_word_set_team (label, 0);
}

guint64
pyro_late_owners_guess (const guintptr *pcs, guint n_pcs)
{
  const PyroLibraries *libraries = pyro_libraries_enter ();
  const PyroLibrary *start = NULL;
  guint64 label = 0;

  if (libraries != NULL)
    start = find_sampled_start (libraries, pcs, n_pcs);
  /* Its creation was not seen: its library's constructor made it, before
   * dlopen() returned. */
  if (start != NULL && start->kind == PYRO_LIBRARY_PLAIN)
    label = pyro_libraries_get_loader (start);
  if (start != NULL && start->team != 0)
    label = guess_team (libraries, start->team, label);
  else if (label == 0 && start != NULL && start->kind == PYRO_LIBRARY_PLAIN)
    label = guess_by_start (libraries, start);
  pyro_libraries_leave ();
  return pyro_late_owners_settle (label);
}

void
pyro_late_owners_fork_child (void)
{
  shared = NULL; /* leaks on purpose */
  memset (users, 0, sizeof users);
  memset (answers, 0, sizeof answers);
}
