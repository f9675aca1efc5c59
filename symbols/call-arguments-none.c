/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Built without a disassembler: no code can be read. */
#include "symbols/call-arguments.h"

PyroCallReader *
pyro_call_reader_new (const PyroCodeImage *image)
{
  return NULL;
}

void
pyro_call_reader_free (PyroCallReader *reader)
{
}

void
pyro_call_reader_read (PyroCallReader *reader, guint64 start, guint64 address,
                       PyroCallArguments *arguments)
{
  *arguments = (PyroCallArguments){ 0 };
}
