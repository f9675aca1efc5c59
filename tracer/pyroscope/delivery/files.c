/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "files.h"
#include "capture-file.h"
#include "log.h"

#include <errno.h>
#include <string.h>

/* Others, of the same service, may write into the directory as well. */
#define TRIM_EVERY 64

struct _PyroFiles {
  PyroStore *store;
  const PyroSpool *spool; /* or NULL */
  const gint *quiet;
  gchar *service;
  gchar *output_dir; /* absolute, or NULL */
  guint mode;
  guint64 max_bytes; /* 0: no bound */

  /* The thread's own. */
  gint capture_errno, spool_errno; /* of the last one; 0: it was written */
  guint64 n_bytes;                 /* of captures, as far as is known */
  guint n_until_trim;
  gboolean told_removal;
};

PyroFiles *
pyro_files_new (const PyroSettings *settings, PyroStore *store,
                const PyroSpool *spool, const gint *quiet)
{
  gboolean has_dir
      = settings->output_dir != NULL && settings->output_dir[0] != '\0';
  PyroFiles *self;

  if (!has_dir && spool == NULL)
    return NULL;
  self = g_new0 (PyroFiles, 1);
  self->store = store;
  self->spool = spool;
  self->quiet = quiet;
  self->service = g_strdup (settings->tracer_name ? settings->tracer_name : "");
  /* Made absolute now: applications change their working directory. */
  if (has_dir)
    self->output_dir = g_canonicalize_filename (settings->output_dir, NULL);
  self->mode = (guint)g_ascii_strtoull (settings->output_mode, NULL, 8);
  self->max_bytes = settings->output_max_bytes;
  return self;
}

void
pyro_files_free (PyroFiles *self)
{
  if (self == NULL)
    return;
  g_free (self->service);
  g_free (self->output_dir);
  g_free (self);
}

static gboolean
may_log (PyroFiles *self)
{
  return !g_atomic_int_get (self->quiet);
}

static const gchar *
remedy_for (gint code, const gchar *otherwise)
{
  switch (code) {
  case ENOSPC:
  case EDQUOT:
    return "free some space or name another place";
  case EFBIG:
    return "raise the limit on file sizes (ulimit -f)";
  case EMFILE:
  case ENFILE:
    return "raise the limit on open files (ulimit -n)";
  default:
    return otherwise;
  }
}

static void
report_capture_error (PyroFiles *self, const GError *error)
{
  if (error->code == self->capture_errno || !may_log (self))
    return;
  pyro_log_user (GST_LEVEL_WARNING,
                 "output-dir=%s: %s; captures are lost until it works again; "
                 "%s",
                 self->output_dir, error->message,
                 remedy_for (error->code,
                             "set output-dir to a directory that this user "
                             "may write to"));
}

static void
report_spool_error (PyroFiles *self, const GError *error)
{
  if (error->code == self->spool_errno || !may_log (self))
    return;
  pyro_log_user (GST_LEVEL_WARNING,
                 "spool-dir=%s: %s; what waits for the server is in memory "
                 "only until it works again; %s",
                 pyro_spool_get_dir (self->spool), error->message,
                 remedy_for (error->code, "set spool-dir to a directory that "
                                          "this user may write to"));
}

/* ------------------------------------------------------------- captures -- */

static void
keep_bound (PyroFiles *self, gsize written)
{
  guint n_removed = 0;

  self->n_bytes += written;
  if (self->max_bytes == 0
      || (self->n_bytes <= self->max_bytes && self->n_until_trim-- > 0))
    return;
  self->n_until_trim = TRIM_EVERY;
  self->n_bytes = pyro_capture_dir_trim (self->output_dir, self->service,
                                         self->max_bytes, &n_removed);
  if (n_removed == 0 || self->told_removal || !may_log (self))
    return;
  self->told_removal = TRUE;
  pyro_log_user (
      GST_LEVEL_WARNING,
      "the captures in %s take more than output-max-bytes=%" G_GUINT64_FORMAT
      ": the oldest are removed from now on; raise "
      "it, or set it to 0, to keep more",
      self->output_dir, self->max_bytes);
}

static void
write_capture (PyroFiles *self, PyroStoreItem *item)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *path
      = pyro_capture_file_write (self->output_dir, self->service, item->time_ns,
                                 self->mode, item->data, &error);
  gsize size = g_bytes_get_size (item->data);

  pyro_store_finish (self->store, item,
                     path != NULL ? PYRO_FATE_DELIVERED : PYRO_FATE_REFUSED);
  if (path == NULL) {
    report_capture_error (self, error);
    self->capture_errno = error->code;
    return;
  }
  if (may_log (self)) {
    GST_CAT_DEBUG (pyro_debug, "wrote %s", path);
    if (self->capture_errno != 0)
      pyro_log_recovery ("captures are written to %s again", self->output_dir);
  }
  self->capture_errno = 0;
  keep_bound (self, size);
}

/* ---------------------------------------------------------------- spool -- */

static void
write_to_spool (PyroFiles *self, PyroStoreItem *item, GBytes *data)
{
  PyroFileLock lock = PYRO_FILE_LOCK_NONE;
  g_autoptr (GError) error = NULL;
  gchar *path
      = pyro_spool_write (self->spool, item->time_ns, data, &lock, &error);

  pyro_store_spooled (self->store, item, path, &lock);
  if (path == NULL) {
    report_spool_error (self, error);
    self->spool_errno = error->code;
    return;
  }
  if (self->spool_errno != 0 && may_log (self))
    pyro_log_recovery ("profiles are kept in %s again",
                       pyro_spool_get_dir (self->spool));
  self->spool_errno = 0;
}

/* --------------------------------------------------------------- thread -- */

/* Says before the first interval is over what cannot work. */
static void
prepare (PyroFiles *self)
{
  g_autoptr (GError) output = NULL;
  g_autoptr (GError) spool = NULL;

  if (self->output_dir != NULL) {
    if (!pyro_capture_dir_prepare (self->output_dir, &output)) {
      report_capture_error (self, output);
      self->capture_errno = output->code;
    } else {
      pyro_capture_dir_clean (self->output_dir, self->service);
    }
  }
  if (self->spool == NULL)
    return;
  if (!pyro_capture_dir_prepare (pyro_spool_get_dir (self->spool), &spool)) {
    report_spool_error (self, spool);
    self->spool_errno = spool->code;
  } else {
    g_autoptr (GArray) found = pyro_spool_list (self->spool);

    pyro_store_put_found (self->store, found);
    if (found->len > 0 && may_log (self))
      GST_CAT_INFO (pyro_debug, "%u requests of earlier processes wait in %s",
                    found->len, pyro_spool_get_dir (self->spool));
  }
}

static gboolean
work (PyroFiles *self)
{
  PyroStoreItem *item = pyro_store_take (self->store, PYRO_STORE_FILES);
  g_autoptr (GBytes) data = NULL;

  if (item != NULL) {
    write_capture (self, item);
    return TRUE;
  }
  item = pyro_store_take_unspooled (self->store, &data);
  if (item != NULL)
    write_to_spool (self, item, data);
  return item != NULL;
}

void *
pyro_files_run (void *data)
{
  PyroFiles *self = data;
  guint seen = 0;

  pthread_setname_np (pthread_self (), "pyro-files");
  prepare (self);
  while (TRUE) {
    gboolean closed = pyro_store_is_closed (self->store);

    if (work (self))
      continue;
    /* What was put in before it was closed has been seen. */
    if (closed)
      break;
    pyro_store_wait (self->store, &seen, G_MAXINT64);
  }
  return NULL;
}
