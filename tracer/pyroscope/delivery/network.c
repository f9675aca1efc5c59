/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "network.h"
#include "at-exit.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

/* OPENSSL_INIT_BASE_ONLY of OpenSSL's include/internal: initializes nothing
 * that is not initialized, and is refused once all was cleaned up. */
#define OPENSSL_INIT_BASE_ONLY 0x00040000

/* OpenSSL's public OPENSSL_INIT_ATFORK: the least that makes it register its
 * clean-up. All that it adds are handlers of fork() that do nothing; loading
 * the texts of errors takes a millisecond, in which an exit() that runs that
 * clean-up would crash us. */
#define OPENSSL_INIT_ATFORK 0x00020000

/* int OPENSSL_init_crypto (uint64_t, const OPENSSL_INIT_SETTINGS *) */
typedef int (*InitCryptoFunc) (guint64 options, const void *settings);

typedef enum {
  NOT_STARTED,
  STARTING,
  USABLE,
  UNUSABLE,
  FORKED, /* while it was starting in the parent: half initialized */
} State;

static struct {
  /* Held for reading by those who use libcurl; for writing by who starts it
   * or closes it. */
  pthread_rwlock_t use;
  gint state;  /* atomic; State */
  gint closed; /* atomic */
  gint was_used;
  InitCryptoFunc init_crypto; /* or NULL; set before USABLE */
} network = { .use = PTHREAD_RWLOCK_INITIALIZER };

/* That of the OpenSSL that libcurl uses, or NULL if it uses none. Looked for
 * in libcurl and what it is linked with, and nowhere else: a process may have
 * several of that name. */
static InitCryptoFunc
find_openssl (void)
{
  union {
    void *symbol;
    InitCryptoFunc function;
  } found = { NULL };
  Dl_info info;
  void *handle = NULL;

  if (dladdr ((void *)(gsize)curl_global_init, &info) != 0)
    handle = dlopen (info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == NULL)
    return NULL;
  found.symbol = dlsym (handle, "OPENSSL_init_crypto");
  dlclose (handle);
  return found.function;
}

/* With the lock. OpenSSL registers its clean-up at the start of its
 * initialization, which goes on for a while. An exit() meanwhile has to meet
 * our handler first, which waits for the delivery thread; so OpenSSL is made
 * to register before there is anything to clean up. */
static void
start_locked (void)
{
  network.init_crypto = find_openssl ();
  if (network.init_crypto != NULL) {
    network.init_crypto (OPENSSL_INIT_ATFORK, NULL);
    pyro_at_exit_again ();
  }
  /* exit() has come in between, and has cleaned up. */
  if (network.init_crypto != NULL
      && network.init_crypto (OPENSSL_INIT_BASE_ONLY, NULL) == 0)
    return;
  g_atomic_int_set (
      &network.state,
      curl_global_init (CURL_GLOBAL_DEFAULT) == CURLE_OK ? USABLE : UNUSABLE);
  pyro_at_exit_again ();
}

void
pyro_network_start (void)
{
  if (g_atomic_int_get (&network.state) != NOT_STARTED)
    return;
  pthread_rwlock_wrlock (&network.use);
  /* Whoever closes it either sees this and waits, or is seen. */
  if (g_atomic_int_compare_and_exchange (&network.state, NOT_STARTED,
                                         STARTING)) {
    if (!g_atomic_int_get (&network.closed))
      start_locked ();
    g_atomic_int_compare_and_exchange (&network.state, STARTING, UNUSABLE);
  }
  pthread_rwlock_unlock (&network.use);
}

/* NULL: there is none. With the lock. */
static const gchar *
obstacle (void)
{
  if (g_atomic_int_get (&network.closed))
    return "the process is ending";
  switch (g_atomic_int_get (&network.state)) {
  case USABLE:
    break;
  case FORKED:
    return "libcurl was being initialized when this process was forked";
  default:
    return "libcurl cannot be initialized";
  }
  if (network.init_crypto != NULL
      && network.init_crypto (OPENSSL_INIT_BASE_ONLY, NULL) == 0)
    return "OpenSSL was cleaned up already";
  return NULL;
}

gboolean
pyro_network_begin (const gchar **reason)
{
  const gchar *why;

  pthread_rwlock_rdlock (&network.use);
  why = obstacle ();
  if (why != NULL)
    pthread_rwlock_unlock (&network.use);
  if (reason != NULL)
    *reason = why;
  return why == NULL;
}

void
pyro_network_end (void)
{
  pthread_rwlock_unlock (&network.use);
}

void
pyro_network_was_used (void)
{
  if (g_atomic_int_compare_and_exchange (&network.was_used, FALSE, TRUE))
    pyro_at_exit_again ();
}

gboolean
pyro_network_close (gint64 deadline)
{
  struct timespec time = { MAX (deadline, 0) / G_USEC_PER_SEC,
                           MAX (deadline, 0) % G_USEC_PER_SEC * 1000 };

  g_atomic_int_set (&network.closed, TRUE);
  if (g_atomic_int_get (&network.state) == NOT_STARTED)
    return TRUE;
  if (pthread_rwlock_clockwrlock (&network.use, CLOCK_MONOTONIC, &time) != 0)
    return FALSE;
  pthread_rwlock_unlock (&network.use);
  return TRUE;
}

void
pyro_network_forget (void)
{
  pthread_rwlock_t unused = PTHREAD_RWLOCK_INITIALIZER;

  network.use = unused;
  g_atomic_int_compare_and_exchange (&network.state, STARTING, FORKED);
}
