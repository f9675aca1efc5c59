/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the error domain of the profile room.
 * Owner: constants.
 * Threads: constants.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PYRO_PROFILE_ERROR (pyro_profile_error_quark ())
GQuark pyro_profile_error_quark (void);

typedef enum {
  PYRO_PROFILE_ERROR_NOT_A_PROFILE, /* something else, or nothing at all */
  PYRO_PROFILE_ERROR_TRUNCATED,     /* the end is missing */
  PYRO_PROFILE_ERROR_TOO_LARGE,     /* more than the limits allow */
  PYRO_PROFILE_ERROR_INVALID,       /* a profile that contradicts itself */
  PYRO_PROFILE_ERROR_INCOMPATIBLE,  /* of other types than those so far */
} PyroProfileError;

G_END_DECLS
