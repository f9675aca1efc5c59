/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the settings, from one table: properties, parser, environment, manual.
 * Owner: a PyroSettings owns its strings; made once, read-only afterwards
 * (but for sample-rate, which the tracer may change under its own lock).
 * Threads: immutable after construction, so any thread may read it.
 */
#pragma once

#include <glib-object.h>
#include "profile/profile-types.h"

G_BEGIN_DECLS

typedef enum {
  PYRO_PROFILE_CPU = 1 << 0,
} PyroProfileFlags;

typedef enum {
  PYRO_LABEL_PIPELINE = 1 << 0,
  PYRO_LABEL_PATH = 1 << 1,
  PYRO_LABEL_ELEMENT = 1 << 2,
  PYRO_LABEL_FACTORY = 1 << 3,
  PYRO_LABEL_THREAD = 1 << 4,
  PYRO_LABEL_ATTRIBUTION = 1 << 5,
} PyroLabelFlags;

typedef enum {
  PYRO_UNWINDER_AUTO,
  PYRO_UNWINDER_TABLES,
  PYRO_UNWINDER_LIBUNWIND,
  PYRO_UNWINDER_FRAME_POINTERS,
} PyroUnwinderKind;

typedef enum {
  PYRO_SYMBOLS_LOCAL,
  PYRO_SYMBOLS_SERVER,
  PYRO_SYMBOLS_NONE,
} PyroSymbolsKind;

typedef struct {
  gchar *server_url;  /* "": no push; no user info, no '/' at the end */
  gchar *tracer_name; /* service_name */
  guint sample_rate;  /* Hz */
  gboolean stop_agent_on_dispose;
  gchar *tags;            /* as it was given */
  gchar *output_dir;      /* "": no capture files; else an absolute path */
  guint output_max_bytes; /* 0: no bound */
  gchar *output_mode;     /* octal digits */
  gchar *spool_dir;       /* "": none; else an absolute path */
  guint spool_max_bytes;
  guint queue_max_bytes;
  guint upload_interval; /* seconds */
  guint profiles;        /* PyroProfileFlags */
  guint labels;          /* PyroLabelFlags */
  guint max_label_sets;  /* in the profiles of an hour */
  gboolean element_frames;
  gboolean thread_owners;
  guint unwinder;     /* PyroUnwinderKind */
  guint symbols;      /* PyroSymbolsKind */
  gchar *debug_path;  /* absolute paths with ':' between them, or "" */
  guint stop_timeout; /* seconds */
  /* At most one of basic-auth and auth-token is set: the token wins. */
  gchar *basic_auth_user;
  gchar *basic_auth_password;
  gchar *auth_token;
  /* Paths, "": none. Each only where the setting without -file is "". */
  gchar *basic_auth_password_file;
  gchar *auth_token_file;
  gchar *tenant_id;
  gchar *http_headers;     /* JSON object, or Name=value,Name=value */
  gchar *ca_file;          /* "": the system's; else an absolute path */
  gchar *client_cert_file; /* "": none; else an absolute path */
  gchar *client_key_file;  /* "": in client_cert_file */

  /* Derived: the parsed tags, array of PyroLabel whose strings it owns. Valid
   * label names and values, no duplicates. A tag may have the name of one of
   * the default series labels (hostname, ...); the tag then wins. */
  GArray *tag_list;
  /* Derived: the parsed http-headers, array of PyroLabel, likewise. No name
   * twice, and none that auth-token, basic-auth-* or tenant-id stand for. */
  GArray *header_list;
} PyroSettings;

typedef enum {
  PYRO_MESSAGE_INFO,    /* what was given is used, but changed */
  PYRO_MESSAGE_WARNING, /* something that was given is not used */
} PyroMessageLevel;

/* One human sentence about what was given. Secrets are never in it. */
typedef struct {
  PyroMessageLevel level;
  gchar *text;
} PyroSettingsMessage;

/* An empty array of PyroSettingsMessage, freed with g_ptr_array_unref().
 * Wherever one is taken below, NULL means that nobody wants to know. At most
 * a few dozen are added, the last of which then says that there were more. */
GPtrArray *pyro_settings_messages_new (void);

/* The settings from, in this order: PARAMS (what stands between the brackets
 * in GST_TRACERS, or NULL), the GST_PYROSCOPE_* names of ENVIRONMENT ("K=V"
 * strings as from g_get_environ(), or NULL), the agents' PYROSCOPE_* names in
 * it, the defaults. Always succeeds: a value that is wrong is reported and the
 * next source counts. Reads no file but the permissions of those that it
 * names. */
PyroSettings *pyro_settings_new (const gchar *params, gchar **environment,
                                 GPtrArray *messages);
PyroSettings *pyro_settings_copy (const PyroSettings *settings);
void pyro_settings_free (PyroSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyroSettings, pyro_settings_free)

/* One line for the log at start: what, how often, where to. No secrets. */
gchar *pyro_settings_describe (const PyroSettings *settings);

/* The settings as GObject properties. In class_init:
 *   pyro_settings_install_properties (object_class, PROP_SETTINGS);
 * with PROP_SETTINGS the last of the class's own property ids: as many ids as
 * there are settings, from it on, are taken. In set_property and get_property:
 *   pyro_settings_set_property (self->settings, id - PROP_SETTINGS, ...)
 * None is a construct property, so one given to g_object_new() is set after
 * constructed() has made the settings from the parameters, and wins. A session
 * that runs has a copy of its own, or is told by its owner. */
void pyro_settings_install_properties (GObjectClass *klass, guint first_id);

/* INDEX is the property's id minus the FIRST_ID above. FALSE: there is no such
 * setting, or the value was wrong and MESSAGES says why; the old one stays. */
gboolean pyro_settings_set_property (PyroSettings *settings, guint index,
                                     const GValue *value, GPtrArray *messages);

/* As above; FALSE: no such setting. A secret reads as NULL. */
gboolean pyro_settings_get_property (const PyroSettings *settings, guint index,
                                     GValue *value);

#define PYRO_TYPE_PROFILE_FLAGS (pyro_profile_flags_get_type ())
GType pyro_profile_flags_get_type (void);
#define PYRO_TYPE_LABEL_FLAGS (pyro_label_flags_get_type ())
GType pyro_label_flags_get_type (void);
#define PYRO_TYPE_UNWINDER_KIND (pyro_unwinder_kind_get_type ())
GType pyro_unwinder_kind_get_type (void);
#define PYRO_TYPE_SYMBOLS_KIND (pyro_symbols_kind_get_type ())
GType pyro_symbols_kind_get_type (void);

G_END_DECLS
