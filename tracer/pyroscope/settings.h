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

typedef struct {
  gchar *server_url;  /* "" : no push */
  gchar *tracer_name; /* service_name */
  guint sample_rate;  /* Hz */
  gboolean stop_agent_on_dispose;
  gchar *tags;        /* as it was given */
  gchar *output_dir;  /* "" : no capture files */
  guint upload_interval; /* seconds */
  guint profiles;     /* PyroProfileFlags */
  guint labels;       /* PyroLabelFlags */
  guint unwinder;     /* PyroUnwinderKind */
  guint stop_timeout; /* seconds */
  gchar *basic_auth_user;
  gchar *basic_auth_password;
  gchar *auth_token;
  gchar *tenant_id;
  gchar *http_headers; /* JSON object, or Name=value,Name=value */
  gchar *ca_file;

  /* Derived: the parsed tags, array of PyroLabel whose strings it owns. */
  GArray *tag_list;
  /* Derived: the parsed http-headers, array of PyroLabel, likewise. */
  GArray *header_list;
} PyroSettings;

G_END_DECLS
