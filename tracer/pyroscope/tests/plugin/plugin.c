/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "burn.h"

#define PACKAGE "gst-pyroscope"
#define GST_PACKAGE_ORIGIN "Unknown package origin"

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, pyroburn,
                   "Elements that use CPU time of a known amount",
                   pyro_burn_register, PYRO_VERSION, "LGPL", "gst-pyroscope",
                   GST_PACKAGE_ORIGIN)
