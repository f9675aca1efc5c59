/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Routines without call frame information, as nasm makes them, and what points
 * at them. */
#define ROUTINE(name) \
  ".p2align 4\n" #name ":\n.skip 40, 0x90\n" #name "_point:\n.skip 40, 0x90\n"

/* Nothing points at the second one. */
__asm__(".text\n" /* clang-format off */
        ROUTINE (routine_called)
        ROUTINE (routine_behind_it)
        ROUTINE (routine_loaded)
        ROUTINE (routine_in_table)
        ".skip 16, 0x90\n"
        ".p2align 4\n"
        ".globl routine_exported\n"
        ".type routine_exported, %function\n"
        "routine_exported:\n.skip 32, 0x90\n"
        ".size routine_exported, 32\n"
        "behind_exported:\n.skip 40, 0x90\n"
        "behind_exported_point:\n.skip 40, 0x90\n" /* clang-format on */
);

typedef void (*Routine) (void);

/* Hidden: no symbol of these is left in a stripped file. */
#define HIDDEN __attribute__ ((visibility ("hidden")))
HIDDEN extern void routine_called (void);
HIDDEN extern void routine_loaded (void);
HIDDEN extern void routine_in_table (void);

extern const Routine sample_table[];
const Routine sample_table[] = { routine_in_table };

int sample_calls_routine (void);
Routine sample_loads_routine (void);

int
sample_calls_routine (void)
{
  routine_called ();
  return 1;
}

Routine
sample_loads_routine (void)
{
  return routine_loaded;
}
