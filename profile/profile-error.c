/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/profile-error.h"

G_DEFINE_QUARK (pyro_profile_error, pyro_profile_error)
