/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cfi-program.h"

/* DWARF 5, section 7.24, and LSB 5.0, table 10-6. */
enum {
  CFA_ADVANCE_LOC = 0x40, /* with an operand in the low six bits */
  CFA_OFFSET = 0x80,
  CFA_RESTORE = 0xc0,
  CFA_NOP = 0x00,
  CFA_SET_LOC = 0x01,
  CFA_ADVANCE_LOC1 = 0x02,
  CFA_ADVANCE_LOC2 = 0x03,
  CFA_ADVANCE_LOC4 = 0x04,
  CFA_OFFSET_EXTENDED = 0x05,
  CFA_RESTORE_EXTENDED = 0x06,
  CFA_UNDEFINED = 0x07,
  CFA_SAME_VALUE = 0x08,
  CFA_REGISTER = 0x09,
  CFA_REMEMBER_STATE = 0x0a,
  CFA_RESTORE_STATE = 0x0b,
  CFA_DEF_CFA = 0x0c,
  CFA_DEF_CFA_REGISTER = 0x0d,
  CFA_DEF_CFA_OFFSET = 0x0e,
  CFA_DEF_CFA_EXPRESSION = 0x0f,
  CFA_EXPRESSION = 0x10,
  CFA_OFFSET_EXTENDED_SF = 0x11,
  CFA_DEF_CFA_SF = 0x12,
  CFA_DEF_CFA_OFFSET_SF = 0x13,
  CFA_VAL_OFFSET = 0x14,
  CFA_VAL_OFFSET_SF = 0x15,
  CFA_VAL_EXPRESSION = 0x16,
  CFA_GNU_WINDOW_SAVE = 0x2d, /* aarch64: negate_ra_state */
  CFA_GNU_ARGS_SIZE = 0x2e,
  CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

/* GCC nests remember_state by one, hand-written CFI by two or three. */
#define MAX_REMEMBERED 16

typedef struct {
  const PyroCie *cie;
  const PyroCfiState *initial; /* NULL while the CIE itself is executed */
  PyroCfiState state;
  PyroCfiState remembered[MAX_REMEMBERED];
  guint n_remembered;
  guint64 location;
} Machine;

/* The slot of a register that is followed, or NULL. */
static PyroSlot *
find_slot (const PyroCie *cie, PyroCfiState *state, guint64 reg)
{
  if (reg == cie->ra_register)
    return &state->slots[PYRO_TRACK_RA];
  switch (reg) {
  case PYRO_DWARF_FP:
    return &state->slots[PYRO_TRACK_FP];
  case PYRO_DWARF_SP:
    return &state->slots[PYRO_TRACK_SP];
#if defined(__x86_64__)
  case 3:
    return &state->slots[PYRO_TRACK_SAVED];
  case 12:
  case 13:
  case 14:
  case 15:
    return &state->slots[PYRO_TRACK_SAVED + reg - 11];
#endif
  default:
#if defined(__aarch64__)
    if (reg >= 19 && reg <= 28)
      return &state->slots[PYRO_TRACK_X19 + reg - 19];
#endif
    return NULL;
  }
}

static void
set_slot (Machine *machine, guint64 reg, PyroSlotKind kind, gint64 offset)
{
  PyroSlot *slot = find_slot (machine->cie, &machine->state, reg);

  if (slot == NULL)
    return;
  slot->kind = kind;
  slot->offset = (gint32)offset;
  if (slot->offset != offset)
    slot->kind = PYRO_SLOT_OTHER;
}

/* FACTOR * data alignment, in wrapping arithmetic: both may be nonsense, and
 * what does not fit into a slot is marked there. */
static gint64
factored (const Machine *machine, gint64 factor)
{
  return (gint64)((guint64)factor * (guint64)machine->cie->data_align);
}

static void
restore_slot (Machine *machine, guint64 reg)
{
  PyroSlot *slot = find_slot (machine->cie, &machine->state, reg);
  PyroCfiState unset = { 0 };
  PyroCfiState initial = machine->initial != NULL ? *machine->initial : unset;

  if (slot != NULL)
    *slot = *find_slot (machine->cie, &initial, reg);
}

static void
set_cfa_register (Machine *machine, guint64 reg)
{
  machine->state.cfa_reg = (guint32)MIN (reg, 255);
}

static void
set_cfa_offset (Machine *machine, gint64 offset)
{
  PyroCfiState *state = &machine->state;

  state->cfa_shape = PYRO_CFA_SHAPE_REGISTER;
  state->cfa_offset = (gint32)offset;
  if (state->cfa_offset != offset)
    state->cfa_shape = PYRO_CFA_SHAPE_OTHER;
}

static void
set_slot_expression (Machine *machine, guint64 reg, PyroBytes expression)
{
  PyroSlot *slot = find_slot (machine->cie, &machine->state, reg);

  if (slot != NULL)
    pyro_cfi_read_slot_expression (expression, slot);
}

/* An instruction whose opcode takes the whole byte, none that moves the
 * location. FALSE: unknown, or impossible. */
static gboolean
execute_one (Machine *machine, guint8 op, PyroBytes *bytes)
{
  guint64 reg, other;

  switch (op) {
  case CFA_NOP:
    return TRUE;
  case CFA_OFFSET_EXTENDED:
    reg = pyro_bytes_uleb (bytes);
    set_slot (machine, reg, PYRO_SLOT_CFA,
              factored (machine, (gint64)pyro_bytes_uleb (bytes)));
    return TRUE;
  case CFA_OFFSET_EXTENDED_SF:
    reg = pyro_bytes_uleb (bytes);
    set_slot (machine, reg, PYRO_SLOT_CFA,
              factored (machine, pyro_bytes_sleb (bytes)));
    return TRUE;
  case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
    reg = pyro_bytes_uleb (bytes);
    set_slot (machine, reg, PYRO_SLOT_CFA,
              (gint64)(0
                       - (guint64)factored (machine,
                                            (gint64)pyro_bytes_uleb (bytes))));
    return TRUE;
  case CFA_VAL_OFFSET:
    reg = pyro_bytes_uleb (bytes);
    set_slot (machine, reg, PYRO_SLOT_IS_CFA,
              factored (machine, (gint64)pyro_bytes_uleb (bytes)));
    return TRUE;
  case CFA_VAL_OFFSET_SF:
    reg = pyro_bytes_uleb (bytes);
    set_slot (machine, reg, PYRO_SLOT_IS_CFA,
              factored (machine, pyro_bytes_sleb (bytes)));
    return TRUE;
  case CFA_RESTORE_EXTENDED:
    restore_slot (machine, pyro_bytes_uleb (bytes));
    return TRUE;
  case CFA_UNDEFINED:
    set_slot (machine, pyro_bytes_uleb (bytes), PYRO_SLOT_UNDEFINED, 0);
    return TRUE;
  case CFA_SAME_VALUE:
    set_slot (machine, pyro_bytes_uleb (bytes), PYRO_SLOT_SAME, 0);
    return TRUE;
  case CFA_REGISTER:
    reg = pyro_bytes_uleb (bytes);
    other = pyro_bytes_uleb (bytes);
    set_slot (machine, reg, PYRO_SLOT_REGISTER, (gint64)MIN (other, 255));
    return TRUE;
  case CFA_REMEMBER_STATE:
    if (machine->n_remembered == MAX_REMEMBERED)
      return FALSE;
    machine->remembered[machine->n_remembered++] = machine->state;
    return TRUE;
  case CFA_RESTORE_STATE:
    if (machine->n_remembered == 0)
      return FALSE;
    machine->state = machine->remembered[--machine->n_remembered];
    return TRUE;
  case CFA_DEF_CFA:
    set_cfa_register (machine, pyro_bytes_uleb (bytes));
    set_cfa_offset (machine, (gint64)pyro_bytes_uleb (bytes));
    return TRUE;
  case CFA_DEF_CFA_SF:
    set_cfa_register (machine, pyro_bytes_uleb (bytes));
    set_cfa_offset (machine, factored (machine, pyro_bytes_sleb (bytes)));
    return TRUE;
  case CFA_DEF_CFA_REGISTER:
    set_cfa_register (machine, pyro_bytes_uleb (bytes));
    return TRUE;
  case CFA_DEF_CFA_OFFSET:
    set_cfa_offset (machine, (gint64)pyro_bytes_uleb (bytes));
    return TRUE;
  case CFA_DEF_CFA_OFFSET_SF:
    set_cfa_offset (machine, factored (machine, pyro_bytes_sleb (bytes)));
    return TRUE;
  case CFA_DEF_CFA_EXPRESSION:
    pyro_cfi_read_cfa_expression (
        pyro_bytes_take (bytes, pyro_bytes_uleb (bytes)), &machine->state);
    return TRUE;
  case CFA_EXPRESSION:
    reg = pyro_bytes_uleb (bytes);
    set_slot_expression (machine, reg,
                         pyro_bytes_take (bytes, pyro_bytes_uleb (bytes)));
    return TRUE;
  case CFA_VAL_EXPRESSION:
    reg = pyro_bytes_uleb (bytes);
    pyro_bytes_take (bytes, pyro_bytes_uleb (bytes));
    set_slot (machine, reg, PYRO_SLOT_OTHER, 0);
    return TRUE;
  case CFA_GNU_ARGS_SIZE:
    pyro_bytes_uleb (bytes);
    return TRUE;
#if defined(__aarch64__)
  case CFA_GNU_WINDOW_SAVE:
    return TRUE; /* the walk strips the signature from every address */
#endif
  default:
    return FALSE;
  }
}

/* How far an instruction moves the location; *IS_MOVE tells whether it is one
 * that does. */
static guint64
read_move (Machine *machine, guint8 op, PyroBytes *bytes, gboolean *is_move)
{
  guint64 delta;

  *is_move = TRUE;
  if ((op & 0xc0) == CFA_ADVANCE_LOC)
    delta = op & 0x3f;
  else if (op == CFA_ADVANCE_LOC1)
    delta = pyro_bytes_uint (bytes, 1);
  else if (op == CFA_ADVANCE_LOC2)
    delta = pyro_bytes_uint (bytes, 2);
  else if (op == CFA_ADVANCE_LOC4)
    delta = pyro_bytes_uint (bytes, 4);
  else {
    *is_move = FALSE;
    return 0;
  }
  return delta * machine->cie->code_align;
}

/* Everything but moves. DW_CFA_set_loc is not among them: compilers do not
 * write it, and it would need the pointer's encoding here. */
static gboolean
execute (Machine *machine, guint8 op, PyroBytes *bytes)
{
  switch (op & 0xc0) {
  case CFA_OFFSET:
    set_slot (machine, op & 0x3f, PYRO_SLOT_CFA,
              factored (machine, (gint64)pyro_bytes_uleb (bytes)));
    return TRUE;
  case CFA_RESTORE:
    restore_slot (machine, op & 0x3f);
    return TRUE;
  default:
    return execute_one (machine, op, bytes);
  }
}

gboolean
pyro_cfi_initial_state (const PyroCie *cie, PyroCfiState *initial)
{
  Machine machine;
  PyroBytes bytes = cie->program;

  machine.cie = cie;
  machine.initial = NULL;
  memset (&machine.state, 0, sizeof machine.state);
  machine.n_remembered = 0;
  while (!bytes.bad && bytes.at < bytes.end) {
    if (!execute (&machine, pyro_bytes_u8 (&bytes), &bytes))
      return FALSE;
  }
  *initial = machine.state;
  return !bytes.bad;
}

gboolean
pyro_cfi_execute (const PyroCie *cie, const PyroCfiState *initial,
                  const PyroFde *fde, PyroCfiRowFunc row, gpointer data,
                  guint64 *bad_from)
{
  Machine machine;
  PyroBytes bytes = fde->program;
  guint64 end = fde->start + fde->length;

  machine.cie = cie;
  machine.initial = initial;
  machine.state = *initial;
  machine.n_remembered = 0;
  machine.location = fde->start;
  while (bytes.at < bytes.end) {
    guint8 op = pyro_bytes_u8 (&bytes);
    gboolean is_move;
    guint64 delta = read_move (&machine, op, &bytes, &is_move);

    if (is_move ? bytes.bad : !execute (&machine, op, &bytes) || bytes.bad) {
      *bad_from = machine.location;
      return FALSE;
    }
    if (delta == 0)
      continue;
    row (machine.location, &machine.state, data);
    if (delta >= end - machine.location)
      return TRUE; /* what is left concerns no byte of the function */
    machine.location += delta;
  }
  if (machine.location < end)
    row (machine.location, &machine.state, data);
  return TRUE;
}
