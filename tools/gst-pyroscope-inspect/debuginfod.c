/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "inspect-error.h"

/* elfutils loads it in this way, too: it takes a TLS library with it, which
 * most calls of this tool have no use for. */
#define LIBRARY "libdebuginfod.so.1"

/* No progress for so long ends a request; the library's default is 90 s. */
#define STALLED_SECONDS "15"

/* One file may take so long in all. */
#define FILE_SECONDS 300

/* As debuginfod.h of elfutils 0.179 and later has them. */
typedef struct debuginfod_client Client;
typedef Client *(*BeginFunc) (void);
typedef int (*FindFunc) (Client *client, const unsigned char *build_id,
                         int build_id_length, char **path);
typedef int (*ProgressFunc) (Client *client, long done, long total);
typedef void (*SetProgressFunc) (Client *client, ProgressFunc func);
typedef void (*EndFunc) (Client *client);

struct _PyroDebuginfod {
  void *library;
  Client *client;
  FindFunc find;
  EndFunc end;
  GHashTable *paths; /* build id → path, "": there is none */
  gboolean has_failed;
  guint n_found;
};

/* One request at a time. */
static gint64 deadline;

static int
check_progress (Client *client, long done, long total)
{
  return g_get_monotonic_time () >= deadline;
}

static gboolean
load (PyroDebuginfod *self)
{
  BeginFunc begin;
  SetProgressFunc set_progress;

  self->library = dlopen (LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (self->library == NULL) {
    pyro_report ("DEBUGINFOD_URLS is set, but %s is not there: install "
                 "elfutils' client library (Debian: libdebuginfod1)",
                 LIBRARY);
    return FALSE;
  }
  begin = (BeginFunc)dlsym (self->library, "debuginfod_begin");
  set_progress
      = (SetProgressFunc)dlsym (self->library, "debuginfod_set_progressfn");
  self->find = (FindFunc)dlsym (self->library, "debuginfod_find_debuginfo");
  self->end = (EndFunc)dlsym (self->library, "debuginfod_end");
  if (begin == NULL || set_progress == NULL || self->find == NULL
      || self->end == NULL)
    return FALSE;
  self->client = begin ();
  if (self->client != NULL)
    set_progress (self->client, check_progress);
  return self->client != NULL;
}

PyroDebuginfod *
pyro_debuginfod_new (void)
{
  const gchar *urls = g_getenv ("DEBUGINFOD_URLS");
  g_autoptr (PyroDebuginfod) self = NULL;

  if (urls == NULL || *urls == '\0')
    return NULL;
  g_setenv ("DEBUGINFOD_TIMEOUT", STALLED_SECONDS, FALSE);
  self = g_new0 (PyroDebuginfod, 1);
  self->paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return load (self) ? g_steal_pointer (&self) : NULL;
}

void
pyro_debuginfod_free (PyroDebuginfod *self)
{
  if (self->client != NULL)
    self->end (self->client);
  /* The library stays: what it was linked with registers functions to be
   * called at exit. */
  g_hash_table_unref (self->paths);
  g_free (self);
}

static gboolean
is_build_id (const gchar *text)
{
  const gchar *c = text;

  while (g_ascii_isxdigit (*c))
    c++;
  return *c == '\0' && c - text >= 4 && (c - text) % 2 == 0;
}

/* "" where there is none. (transfer full) */
static gchar *
ask (PyroDebuginfod *self, const gchar *build_id)
{
  char *path = NULL;
  gchar *copy;
  int fd;

  if (self->has_failed || !is_build_id (build_id))
    return g_strdup ("");
  deadline = g_get_monotonic_time () + FILE_SECONDS * G_USEC_PER_SEC;
  fd = self->find (self->client, (const unsigned char *)build_id, 0, &path);
  if (fd < 0 && fd != -ENOENT) {
    self->has_failed = TRUE;
    /* Not what DEBUGINFOD_URLS is: URLs may have passwords. */
    pyro_report ("debuginfod is not asked for more: %s (see DEBUGINFOD_URLS)",
                 g_strerror (-fd));
  }
  if (fd < 0)
    return g_strdup ("");
  close (fd);
  self->n_found++;
  copy = g_strdup (path);
  free (path);
  return copy;
}

gchar *
pyro_debuginfod_fetch (const gchar *build_id, gpointer data)
{
  PyroDebuginfod *self = data;
  const gchar *path = g_hash_table_lookup (self->paths, build_id);

  if (path == NULL) {
    gchar *answer = ask (self, build_id);

    g_hash_table_insert (self->paths, g_strdup (build_id), answer);
    path = answer;
  }
  return *path != '\0' ? g_strdup (path) : NULL;
}

guint
pyro_debuginfod_get_n_found (const PyroDebuginfod *self)
{
  return self->n_found;
}
