/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications whose libraries, environment and descriptors change. */

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hazard.h"

typedef unsigned long (*WorkFunc) (unsigned long rounds);

static char *
copy_module (const char *name)
{
  char *path = g_build_filename (hazard_directory, name, NULL);
  char *data;
  gsize size;

  REQUIRE (g_file_get_contents (getenv ("HAZARD_MODULE"), &data, &size, NULL));
  REQUIRE (g_file_set_contents (path, data, (gssize)size, NULL));
  g_free (data);
  return path;
}

static WorkFunc
load_module (const char *path, void **handle)
{
  WorkFunc work;

  *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  REQUIRE (*handle != NULL);
  *(void **)&work = dlsym (*handle, "hazard_module_work");
  REQUIRE (work != NULL);
  return work;
}

static void
loads_and_unloads (void)
{
  load_start ();
  while (time_is_left ()) {
    void *handle;
    WorkFunc work = load_module (getenv ("HAZARD_MODULE"), &handle);

    work (1000000);
    REQUIRE (dlclose (handle) == 0);
  }
  load_stop ();
}

/* The file that was loaded is another one now. */
static void
library_replaced (void)
{
  char *path = copy_module ("replaced.so");
  void *handle;
  WorkFunc work;

  load_start ();
  usleep (50000);
  work = load_module (path, &handle);
  REQUIRE (unlink (path) == 0);
  REQUIRE (g_file_set_contents (path, "not a library", -1, NULL));
  while (time_is_left ())
    work (1000000);
  load_stop ();
  REQUIRE (unlink (path) == 0);
  g_free (path);
}

/* Whoever reads its mapping now is sent SIGBUS; nobody calls it any more. */
static void
library_truncated (void)
{
  char *path = copy_module ("truncated.so");
  void *handle;

  load_module (path, &handle);
  REQUIRE (truncate (path, 0) == 0);
  load_start ();
  while (time_is_left ())
    burn_ms (10);
  load_stop ();
  REQUIRE (unlink (path) == 0);
  g_free (path);
}

static void
changes_environment (void)
{
  load_start ();
  while (time_is_left ()) {
    for (int i = 0; i < 100; i++) {
      char name[32];

      g_snprintf (name, sizeof name, "HAZARD_%d", i);
      setenv (name, name, 1);
    }
    for (int i = 0; i < 100; i++) {
      char name[32];

      g_snprintf (name, sizeof name, "HAZARD_%d", i);
      unsetenv (name);
    }
  }
  load_stop ();
}

static int
count_module (struct dl_phdr_info *info, size_t size, void *data)
{
  ++*(int *)data;
  return 0;
}

static void *
iterate_modules (void *data)
{
  while (time_is_left ()) {
    int n = 0;

    dl_iterate_phdr (count_module, &n);
    REQUIRE (n > 3);
  }
  return NULL;
}

static void
iterates_modules (void)
{
  pthread_t thread;

  load_start ();
  REQUIRE (pthread_create (&thread, NULL, iterate_modules, NULL) == 0);
  iterate_modules (NULL);
  pthread_join (thread, NULL);
  load_stop ();
}

/* A number that was free, or somebody's, is ours now; what is in our files is
 * ours alone. */
static void
closes_descriptors (void)
{
  int fds[8];

  load_start_without_threads ();
  while (time_is_left ()) {
    for (int fd = 3; fd < 64; fd++)
      close (fd);
    for (size_t i = 0; i < G_N_ELEMENTS (fds); i++) {
      char path[4096];

      snprintf (path, sizeof path, "%s/own-%zu", hazard_directory, i);
      fds[i] = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
      REQUIRE (fds[i] >= 3);
      REQUIRE (write (fds[i], "own", 3) == 3);
    }
    burn_ms (5);
    for (size_t i = 0; i < G_N_ELEMENTS (fds); i++) {
      char data[16];
      struct stat st;

      /* The collector, too, opens and closes: never a number of ours. */
      REQUIRE (fstat (fds[i], &st) == 0 && st.st_size == 3);
      REQUIRE (pread (fds[i], data, sizeof data, 0) == 3);
      REQUIRE (memcmp (data, "own", 3) == 0);
    }
  }
  load_stop ();
}

const Hazard module_hazards[] = {
  { "loads-and-unloads", loads_and_unloads, NULL },
  { "library-replaced", library_replaced, NULL },
  { "library-truncated", library_truncated, NULL },
  { "iterates-modules", iterates_modules, NULL },
  { "changes-environment", changes_environment, NULL },
  { "closes-descriptors", closes_descriptors, NULL },
  { NULL, NULL, NULL },
};
