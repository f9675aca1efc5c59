/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that imports getppid() in two ways: by its calls, and as a pointer
 * that the loader fills in. */

#include <unistd.h>

pid_t importer_call (void);
pid_t importer_call_pointer (void);

/* May be replaced by another module's, so that its value is not known here. */
extern pid_t (*const importer_pointer) (void);
pid_t (*const importer_pointer) (void) = getppid;

pid_t
importer_call (void)
{
  return getppid ();
}

pid_t
importer_call_pointer (void)
{
  return importer_pointer ();
}
