/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

GST_DEBUG_CATEGORY (pyro_debug);

static struct stat initial_stderr;
static gboolean have_stderr;

void
pyro_log_init (void)
{
  static gsize once = 0;

  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (pyro_debug, "pyroscope", 0,
                             "continuous profiling by element");
    have_stderr = fstat (STDERR_FILENO, &initial_stderr) == 0;
    g_once_init_leave (&once, 1);
  }
}

/* Applications close all descriptors and get number 2 for a file or a socket
 * of their own: a message must not end up in there. */
static gboolean
stderr_is_still_stderr (void)
{
  struct stat now;

  return have_stderr && fstat (STDERR_FILENO, &now) == 0
         && now.st_dev == initial_stderr.st_dev
         && now.st_ino == initial_stderr.st_ino;
}

/* A reader that went away or a file size limit would kill the application for
 * a message of ours. Both signals go to the writing thread, so they can be
 * held back and taken off here. */
static void
write_without_signals (const gchar *line, gsize length)
{
  static const struct timespec at_once = { 0, 0 };
  sigset_t both, pending, old;
  int sig = 0;

  sigemptyset (&both);
  sigaddset (&both, SIGPIPE);
  sigaddset (&both, SIGXFSZ);
  sigpending (&pending);
  pthread_sigmask (SIG_BLOCK, &both, &old);

  /* One write, so that lines of several threads do not mix. A short write
   * loses the rest of a message, which is better than to wait. */
  if (write (STDERR_FILENO, line, length) < 0)
    sig = errno == EPIPE ? SIGPIPE : errno == EFBIG ? SIGXFSZ : 0;
  if (sig != 0 && !sigismember (&pending, sig)) {
    sigset_t raised;

    sigemptyset (&raised);
    sigaddset (&raised, sig);
    sigtimedwait (&raised, NULL, &at_once);
  }
  pthread_sigmask (SIG_SETMASK, &old, NULL);
}

/* BEGINNING: of the line on the terminal. */
static void
say (GstDebugLevel level, const gchar *beginning, const gchar *message)
{
  GST_CAT_LEVEL_LOG (pyro_debug, level, NULL, "%s", message);

#ifndef GST_DISABLE_GST_DEBUG
  if (level <= gst_debug_category_get_threshold (pyro_debug)
      && level <= _gst_debug_min)
    return;
#endif
  if (level <= GST_LEVEL_WARNING && stderr_is_still_stderr ()) {
    g_autofree gchar *line
        = g_strdup_printf ("gst-pyroscope: %s%s\n", beginning, message);

    write_without_signals (line, strlen (line));
  }
}

/* messages that wait */

typedef struct {
  GstDebugLevel level;
  const gchar *beginning;
  gchar *text;
} Message;

static __thread GQueue *held __attribute__ ((tls_model ("initial-exec")));

void
pyro_log_hold (void)
{
  if (held == NULL)
    held = g_queue_new ();
}

void
pyro_log_release (void)
{
  GQueue *messages = g_steal_pointer (&held);
  Message *message;

  if (messages == NULL)
    return;
  while ((message = g_queue_pop_head (messages)) != NULL) {
    say (message->level, message->beginning, message->text);
    g_free (message->text);
    g_free (message);
  }
  g_queue_free (messages);
}

static void
say_or_hold (GstDebugLevel level, const gchar *beginning, const gchar *format,
             va_list args)
{
  g_autofree gchar *text = g_strdup_vprintf (format, args);

  pyro_log_init ();
  if (held != NULL) {
    Message *message = g_new (Message, 1);

    *message = (Message){ level, beginning, g_steal_pointer (&text) };
    g_queue_push_tail (held, message);
    return;
  }
  say (level, beginning, text);
}

void
pyro_log_user (GstDebugLevel level, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  say_or_hold (
      level, level == GST_LEVEL_ERROR ? "error: " : "warning: ", format, args);
  va_end (args);
}

void
pyro_log_recovery (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  say_or_hold (GST_LEVEL_WARNING, "", format, args);
  va_end (args);
}
