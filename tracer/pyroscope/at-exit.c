/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "at-exit.h"

#include <stdlib.h>

static void (*the_handler) (void); /* atomic */

void
pyro_at_exit (void (*handler) (void))
{
  if (g_atomic_pointer_compare_and_exchange (&the_handler, NULL, handler))
    atexit (handler);
}

void
pyro_at_exit_again (void)
{
  void (*handler) (void) = g_atomic_pointer_get (&the_handler);

  if (handler != NULL)
    atexit (handler);
}
