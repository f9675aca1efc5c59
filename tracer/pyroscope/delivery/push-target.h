/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: where profiles are pushed to and by what right, read from the
 * settings and the environment once, and from files that hold secrets as often
 * as they change; and how to speak of it without a secret.
 * Owner: a target owns copies of everything; the settings may go away.
 * Threads: one at a time.
 */
#pragma once

#include "settings.h"

#include <sys/stat.h>

G_BEGIN_DECLS

#define PYRO_PUSH_TARGET_ERROR (pyro_push_target_error_quark ())
GQuark pyro_push_target_error_quark (void);

typedef enum {
  PYRO_PUSH_TARGET_ERROR_URL,
} PyroPushTargetError;

/* A file whose first line is a secret. */
typedef struct {
  gchar *path; /* NULL: there is none */
  struct stat seen;
  gboolean is_read;
  gint error; /* errno of the last look at it, which was reported */
} PyroSecretFile;

typedef struct {
  gchar *url;     /* of the Push call, without user and password */
  gchar *display; /* server-url for messages: no user, password or query */

  /* Basic auth, or NULL: basic-auth-user and basic-auth-password, else those
   * in server-url. NULL when there is a token or an Authorization header. */
  gchar *user;
  gchar *password;

  /* "Name: value" lines for every request, NULL at the end. */
  gchar **headers;

  gchar *ca_file;                            /* or NULL: the system's */
  gchar *client_cert_file, *client_key_file; /* or NULL */

  /* http_proxy and its relations, read at construction since applications
   * change the environment while others read it; "": none. Servers on this
   * machine need none. */
  gchar *proxy;
  gchar *proxy_display; /* for messages, as display */
  gchar *no_proxy;

  /* Never to be shown: passwords, tokens, tenant, header values. */
  GPtrArray *secrets;

  /*< private >*/
  PyroSecretFile token_file, password_file;
} PyroPushTarget;

/* NULL with an error, whose message holds no credential, when server-url is no
 * http or https URL. Headers that cannot be sent are left out, with a
 * warning. (transfer full) */
PyroPushTarget *
pyro_push_target_new (const PyroSettings *settings, GError **error);
void pyro_push_target_free (PyroPushTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroPushTarget, pyro_push_target_free)

/* Reads the files with secrets that have changed. What they held before is
 * still not shown. */
void pyro_push_target_refresh (PyroPushTarget *target);

/* TEXT from outside (an answer, libcurl's error) as one short line for a
 * message; where it repeats a secret, a line that says so. (transfer full) */
gchar *pyro_push_target_clean (const PyroPushTarget *target, const gchar *text);

/* URL without user, password, query and fragment, also where it is no valid
 * URL. (transfer full) */
gchar *pyro_push_target_display_url (const gchar *url);

G_END_DECLS
