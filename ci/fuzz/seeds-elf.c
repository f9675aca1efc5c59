/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of the command line, which the driver takes by itself. */

#include "fuzz.h"

void
pyro_fuzz_give_seeds (PyroFuzzTake take, gpointer user_data)
{
}
