/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the functions that the tests of walks make up, and walks over stacks
 *   of their frames.
 * Owner: the fixture.
 * Threads: one.
 */
#pragma once

#include <string.h>

#include "made-up-stack.h"
#include "step.h"

/* Functions of 0x40 bytes each. */
enum {
  ROOT = TEXT + 0x000,   /* return address undefined */
  PLAIN = TEXT + 0x040,  /* CFA = rsp + 16 */
  BY_FP = TEXT + 0x080,  /* push %rbp; mov %rsp,%rbp */
  ZERO = TEXT + 0x0c0,   /* CFA = rsp + 0: malformed, no progress */
  WILD = TEXT + 0x100,   /* CFA arithmetic that is not supported */
  BY_RDI = TEXT + 0x140, /* CFA = rbp + 16, return address in rdi */
  BARE = TEXT + 0x400,   /* no FDE */
  AWAY = TEXT + 0x100000,
};

static inline void
set_up (Fixture *f, gconstpointer data)
{
  GByteArray *section = g_byte_array_new ();
  guint cie = put_usual_cie (section);

  PUT_FDE (section, cie, ROOT, 0x40, "\x07\x10");
  PUT_FDE (section, cie, PLAIN, 0x40, "\x0e\x10");
  PUT_FDE (section, cie, BY_FP, 0x40, "\x0e\x10\x86\x02\x0d\x06");
  PUT_FDE (section, cie, ZERO, 0x40, "\x0c\x07\x00\x11\x10\x7f");
  PUT_FDE (section, cie, WILD, 0x40, "\x0f\x04\x77\x08\x06\x06");
  PUT_FDE (section, cie, BY_RDI, 0x40, "\x0c\x06\x10\x09\x10\x05");
  made_up_set_up (f, section);
}

static inline void
walk (Fixture *f, unsigned max)
{
  memset (f->pcs, 0xee, sizeof f->pcs);
  memset (&f->walk, 0xee, sizeof f->walk);
  pyro_unwind_by_tables (&f->sources, &f->regs, &f->stack, f->pcs, max,
                         &f->walk);
  g_assert_cmphex (f->pcs[max], ==, 0xeeeeeeeeeeeeeeee);
  g_assert_cmpuint (f->walk.depth, <=, max);
}

/* N calls of PLAIN from PLAIN, then ROOT. */
static inline void
make_chain (Fixture *f, unsigned n)
{
  unsigned i;

  f->regs.pc = PLAIN + 4;
  for (i = 0; i < n; i++)
    f->words[2 * i + 1] = i + 1 < n ? PLAIN + 8 + i % 32 : ROOT + 4;
}
