/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "callers.h"

#if defined(HAVE_DL_FIND_OBJECT)

#include <dlfcn.h>
#include <glib.h>

#include "cfi-program.h"
#include "cfi-reader.h"
#include "loader.h"

#define MAX_CALLERS 256

/* More is no frame. */
#define MAX_FRAME_SIZE ((uintptr_t)16 << 20)

#define WORD sizeof (uintptr_t)

/* Words of others' frames, which AddressSanitizer would guard. */
#define READS_FRAMES __attribute__ ((no_sanitize ("address")))

/* What is followed, by PYRO_TRACK_*; the return address is the pc. */
typedef struct {
  uintptr_t values[PYRO_N_TRACKED];
} Registers;

typedef struct {
  uintptr_t low, high;
} Stack;

/* the module's .eh_frame */

/* LSB 5.0, 10.6.2: version, encodings of the pointer to .eh_frame, of the count
 * and of the table; those of binutils' ld, gold, lld and mold. */
#define HEADER_SIZE 12
#define UDATA4 0x03
#define DATAREL_SDATA4 0x3b

typedef struct {
  gint32 start, fde; /* from the header */
} Entry;

/* The offset of PC's FDE from the module's start. */
static gboolean
search_header (const struct dl_find_object *module, guintptr pc, gsize *offset)
{
  const guint8 *header = module->dlfo_eh_frame;
  gsize size;
  guint32 n, low = 0, high;
  const guint8 *table;
  Entry entry;

  if (header == NULL || header < (const guint8 *)module->dlfo_map_start
      || header >= (const guint8 *)module->dlfo_map_end)
    return FALSE;
  size = (gsize)((const guint8 *)module->dlfo_map_end - header);
  if (size < HEADER_SIZE || header[0] != 1 || header[2] != UDATA4
      || header[3] != DATAREL_SDATA4 || (header[1] & 0x0f) == 0x04
      || (header[1] & 0x0f) == 0x0c || (header[1] & 0x0f) == 0x00)
    return FALSE;
  memcpy (&n, header + 8, sizeof n);
  if (n == 0 || n > (size - HEADER_SIZE) / sizeof entry)
    return FALSE;
  table = header + HEADER_SIZE;
  /* The last one that does not begin behind PC. */
  for (high = n; high - low > 1;) {
    guint32 middle = low + (high - low) / 2;

    memcpy (&entry, table + middle * sizeof entry, sizeof entry);
    if ((guintptr)header + (guintptr)(gintptr)entry.start <= pc)
      low = middle;
    else
      high = middle;
  }
  memcpy (&entry, table + low * sizeof entry, sizeof entry);
  *offset = (gsize)(header - (const guint8 *)module->dlfo_map_start)
            + (gsize)(gssize)entry.fde;
  return TRUE;
}

static void
keep_last (guint64 address, const PyroCfiState *state, gpointer data)
{
  *(PyroCfiState *)data = *state;
}

/* What is in force at PC. */
static gboolean
find_state (guintptr pc, PyroCfiState *state, gboolean *is_signal)
{
  struct dl_find_object module;
  PyroCfiState initial;
  guint64 bad_from;
  gsize offset;
  PyroFde fde;
  PyroCie cie;

  if (_dl_find_object ((void *)pc, &module) != 0
      || !search_header (&module, pc, &offset)
      || !pyro_cfi_read_one (module.dlfo_map_start,
                             (gsize)((guint8 *)module.dlfo_map_end
                                     - (guint8 *)module.dlfo_map_start),
                             (guint64)(guintptr)module.dlfo_map_start, offset,
                             &fde, &cie)
      || pc < fde.start || pc - fde.start >= fde.length
      || !pyro_cfi_initial_state (&cie, &initial))
    return FALSE;
  *is_signal = cie.is_signal;
  /* No row behind PC. */
  fde.length = pc - fde.start + 1;
  return pyro_cfi_execute (&cie, &initial, &fde, keep_last, state, &bad_from);
}

/* one step */

static gboolean
is_on_stack (const Stack *stack, guintptr start, guintptr limit)
{
  if (start % WORD != 0 || limit % WORD != 0 || limit < start
      || limit - start > MAX_FRAME_SIZE)
    return FALSE;
  if (start >= stack->low && start < stack->high)
    return limit <= stack->high;
  return pyro_loader_is_readable (start, limit - start);
}

static gboolean
find_register (const Registers *registers, guint32 dwarf, guintptr *value)
{
  gint at;

  switch (dwarf) {
  case PYRO_DWARF_FP:
    at = PYRO_TRACK_FP;
    break;
  case PYRO_DWARF_SP:
    at = PYRO_TRACK_SP;
    break;
#if defined(__x86_64__)
  case 3:
    at = PYRO_TRACK_SAVED;
    break;
  case 12:
  case 13:
  case 14:
  case 15:
    at = PYRO_TRACK_SAVED + (gint)dwarf - 11;
    break;
#endif
  default:
    return FALSE;
  }
  *value = registers->values[at];
  return TRUE;
}

READS_FRAMES static gboolean
find_cfa (const Stack *stack, const PyroCfiState *state,
          const Registers *registers, guintptr *cfa)
{
  guintptr base;

  if (!find_register (registers, state->cfa_reg, &base))
    return FALSE;
  base += (guintptr)(gintptr)state->cfa_offset;
  switch (state->cfa_shape) {
  case PYRO_CFA_SHAPE_REGISTER:
    *cfa = base;
    return TRUE;
  case PYRO_CFA_SHAPE_DEREF:
    if (base < registers->values[PYRO_TRACK_SP]
        || !is_on_stack (stack, base, base + WORD))
      return FALSE;
    *cfa = *(const guintptr *)base + (guintptr)(gintptr)state->cfa_add;
    return TRUE;
  default:
    return FALSE; /* nothing that calls */
  }
}

/* A register of the caller. What was saved is in the frame, [sp, CFA). */
READS_FRAMES static gboolean
restore (const PyroSlot *slot, const Registers *registers, guintptr cfa,
         guintptr *value)
{
  guintptr at;

  switch (slot->kind) {
  case PYRO_SLOT_SAME:
    return TRUE;
  case PYRO_SLOT_UNDEFINED:
    *value = 0;
    return TRUE;
  case PYRO_SLOT_CFA:
    at = cfa + (guintptr)(gintptr)slot->offset;
    break;
  case PYRO_SLOT_IS_CFA:
    *value = cfa + (guintptr)(gintptr)slot->offset;
    return TRUE;
  case PYRO_SLOT_FP:
    at = registers->values[PYRO_TRACK_FP] + (guintptr)(gintptr)slot->offset;
    break;
  case PYRO_SLOT_SP:
    at = registers->values[PYRO_TRACK_SP] + (guintptr)(gintptr)slot->offset;
    break;
  case PYRO_SLOT_REGISTER:
    return find_register (registers, (guint32)slot->offset, value);
  default:
    return FALSE;
  }
  if (at % WORD != 0 || at < registers->values[PYRO_TRACK_SP]
      || at > cfa - WORD)
    return FALSE;
  *value = *(const guintptr *)at;
  return TRUE;
}

/* aarch64 may sign return addresses; elsewhere this changes nothing. */
static guintptr
strip_signature (guintptr address)
{
#if defined(__aarch64__)
  register guintptr lr __asm__("x30") = address;

  __asm__("hint #7" : "+r"(lr)); /* xpaclri */
  return lr;
#else
  return address;
#endif
}

/* From a function to the one that called it; *CFA is where its frame ends.
 * FALSE: this is the last one that is known. */
static gboolean
step (const Stack *stack, Registers *registers, gboolean *is_exact,
      guintptr *cfa)
{
  guintptr pc = registers->values[PYRO_TRACK_RA];
  Registers caller = *registers;
  PyroCfiState state;
  gboolean is_signal;

  if (pc == 0
      || !find_state (*is_exact ? pc : pc - 1, &state, &is_signal)
      /* What a signal interrupted did not call. */
      || is_signal || !find_cfa (stack, &state, registers, cfa)
      || *cfa <= registers->values[PYRO_TRACK_SP]
      || !is_on_stack (stack, registers->values[PYRO_TRACK_SP], *cfa)
      /* The start of the thread, or code that never calls. */
      || state.slots[PYRO_TRACK_RA].kind == PYRO_SLOT_UNDEFINED
      || state.slots[PYRO_TRACK_RA].kind == PYRO_SLOT_SAME)
    return FALSE;
  for (guint i = 0; i < PYRO_N_TRACKED; i++)
    if (!restore (&state.slots[i], registers, *cfa, &caller.values[i])) {
      if (i == PYRO_TRACK_RA)
        return FALSE;
      caller.values[i] = 0;
    }
  if (state.slots[PYRO_TRACK_SP].kind == PYRO_SLOT_SAME)
    caller.values[PYRO_TRACK_SP] = *cfa;
  caller.values[PYRO_TRACK_RA] = strip_signature (caller.values[PYRO_TRACK_RA]);
  *registers = caller;
  *is_exact = FALSE;
  return TRUE;
}

/* The registers at this very place, which is in code with CFI. */
static inline __attribute__ ((always_inline)) void
capture (Registers *registers)
{
  guintptr *values = registers->values;

#if defined(__x86_64__)
  __asm__ volatile("lea 0(%%rip), %%rax\n"
                   "mov %%rax, 0(%0)\n"
                   "mov %%rbp, 8(%0)\n"
                   "mov %%rsp, 16(%0)\n"
                   "mov %%rbx, 24(%0)\n"
                   "mov %%r12, 32(%0)\n"
                   "mov %%r13, 40(%0)\n"
                   "mov %%r14, 48(%0)\n"
                   "mov %%r15, 56(%0)\n"
                   :
                   : "r"(values)
                   : "rax", "memory");
#elif defined(__aarch64__)
  __asm__ volatile("adr x9, .\n"
                   "mov x10, sp\n"
                   "stp x9, x29, [%0]\n"
                   "str x10, [%0, #16]\n"
                   "stp x19, x20, [%1]\n"
                   "stp x21, x22, [%1, #16]\n"
                   "stp x23, x24, [%1, #32]\n"
                   "stp x25, x26, [%1, #48]\n"
                   "stp x27, x28, [%1, #64]\n"
                   :
                   : "r"(values), "r"(values + PYRO_TRACK_X19)
                   : "x9", "x10", "memory");
#else
#error "The registers of this processor are not known here: add them."
#endif
}

G_STATIC_ASSERT (PYRO_TRACK_RA == 0 && PYRO_TRACK_FP == 1 && PYRO_TRACK_SP == 2
                 && PYRO_TRACK_SAVED == 3 && PYRO_N_SAVED == 5);

static void
describe (const Registers *registers, guintptr limit, PyroCaller *caller)
{
#if defined(__aarch64__)
  const gint first = PYRO_TRACK_X19;
#else
  const gint first = PYRO_TRACK_SAVED;
#endif

  caller->pc = registers->values[PYRO_TRACK_RA];
  caller->start = (const guintptr *)registers->values[PYRO_TRACK_SP];
  caller->limit = (const guintptr *)limit;
  memcpy (caller->registers, registers->values + first,
          (PYRO_CALLER_N_REGISTERS - 1) * sizeof *caller->registers);
  caller->registers[PYRO_CALLER_N_REGISTERS - 1]
      = registers->values[PYRO_TRACK_FP];
}

void __attribute__ ((noinline))
pyro_callers_walk (guintptr low, guintptr high, PyroCallerFunc func, void *data)
{
  Stack stack = { low, high };
  Registers registers = { { 0 } };
  gboolean is_exact = TRUE;
  guintptr cfa;

  capture (&registers);
  /* From this function itself. */
  if (!step (&stack, &registers, &is_exact, &cfa))
    return;
  for (guint i = 0; i < MAX_CALLERS; i++) {
    Registers before = registers;
    PyroCaller caller;

    if (!step (&stack, &registers, &is_exact, &cfa))
      return;
    describe (&before, cfa, &caller);
    if (!func (&caller, data))
      return;
  }
}

#endif
