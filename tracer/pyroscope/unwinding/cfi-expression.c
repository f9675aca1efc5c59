/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cfi-program.h"

/* DWARF 5, section 7.7.1. */
enum {
  OP_DEREF = 0x06,
  OP_CONST1U = 0x08,
  OP_CONST1S = 0x09,
  OP_AND = 0x1a,
  OP_MINUS = 0x1c,
  OP_PLUS = 0x22,
  OP_PLUS_UCONST = 0x23,
  OP_SHL = 0x24,
  OP_GE = 0x2a,
  OP_LIT0 = 0x30,
  OP_LIT31 = 0x4f,
  OP_BREG0 = 0x70,
  OP_BREG31 = 0x8f,
  OP_BREGX = 0x92,
};

static gboolean
fits (gint64 value)
{
  return value >= G_MININT32 && value <= G_MAXINT32;
}

/* DW_OP_breg*: a register plus a signed offset. */
static gboolean
read_breg (PyroBytes *bytes, guint32 *reg, gint32 *offset)
{
  guint8 op = pyro_bytes_u8 (bytes);
  guint64 number;
  gint64 value;

  if (op >= OP_BREG0 && op <= OP_BREG31)
    number = op - OP_BREG0;
  else if (op == OP_BREGX)
    number = pyro_bytes_uleb (bytes);
  else
    return FALSE;
  value = pyro_bytes_sleb (bytes);
  if (bytes->bad || number > 255 || !fits (value))
    return FALSE;
  *reg = (guint32)number;
  *offset = (gint32)value;
  return TRUE;
}

static gboolean
expect (PyroBytes *bytes, guint8 op)
{
  return pyro_bytes_u8 (bytes) == op && !bytes->bad;
}

/* What binutils' ld describes lazily bound PLT entries by: sp + 8, and 8 more
 * once the entry has pushed its index:
 * breg7 8; breg16 0; lit15; and; litN; ge; lit3; shl; plus. */
static gboolean
read_plt (PyroBytes bytes, PyroCfiState *state)
{
  guint32 reg;
  gint32 offset, zero;
  guint8 literal;

  if (!read_breg (&bytes, &reg, &offset) || reg != PYRO_DWARF_SP)
    return FALSE;
  state->cfa_offset = offset;
  if (!read_breg (&bytes, &reg, &zero) || reg != PYRO_DWARF_PC || zero != 0)
    return FALSE;
  if (!expect (&bytes, OP_LIT0 + 15) || !expect (&bytes, OP_AND))
    return FALSE;
  literal = pyro_bytes_u8 (&bytes);
  if (literal < OP_LIT0 || literal > OP_LIT0 + 15)
    return FALSE;
  if (!expect (&bytes, OP_GE) || !expect (&bytes, OP_LIT0 + 3)
      || !expect (&bytes, OP_SHL) || !expect (&bytes, OP_PLUS)
      || pyro_bytes_left (&bytes) != 0)
    return FALSE;
  state->cfa_shape = PYRO_CFA_SHAPE_PLT;
  state->cfa_reg = PYRO_DWARF_SP;
  state->cfa_add = literal - OP_LIT0;
  return TRUE;
}

/* What stands after the deref: nothing, or a constant to be added. */
static gboolean
read_addend (PyroBytes *bytes, gint32 *add)
{
  guint64 value;
  guint8 op;

  *add = 0;
  if (pyro_bytes_left (bytes) == 0)
    return TRUE;
  op = pyro_bytes_u8 (bytes);
  if (op == OP_PLUS_UCONST) {
    value = pyro_bytes_uleb (bytes);
  } else if (op >= OP_LIT0 && op <= OP_LIT31) {
    value = op - OP_LIT0;
    if (!expect (bytes, OP_PLUS))
      return FALSE;
  } else if (op == OP_CONST1U) {
    value = pyro_bytes_u8 (bytes);
    if (!expect (bytes, OP_PLUS))
      return FALSE;
  } else {
    return FALSE;
  }
  if (bytes->bad || value > G_MAXINT32 || pyro_bytes_left (bytes) != 0)
    return FALSE;
  *add = (gint32)value;
  return TRUE;
}

/* breg; deref [; constant; plus]: functions that realign their stack keep the
 * CFA in a slot of their frame. breg alone is a long form of a register rule.
 */
static gboolean
read_deref (PyroBytes bytes, PyroCfiState *state)
{
  if (!read_breg (&bytes, &state->cfa_reg, &state->cfa_offset))
    return FALSE;
  if (pyro_bytes_left (&bytes) == 0) {
    state->cfa_shape = PYRO_CFA_SHAPE_REGISTER;
    return TRUE;
  }
  if (!expect (&bytes, OP_DEREF) || !read_addend (&bytes, &state->cfa_add))
    return FALSE;
  state->cfa_shape = PYRO_CFA_SHAPE_DEREF;
  return TRUE;
}

void
pyro_cfi_read_cfa_expression (PyroBytes expression, PyroCfiState *state)
{
  state->cfa_add = 0;
  if (!expression.bad
      && (read_plt (expression, state) || read_deref (expression, state)))
    return;
  state->cfa_shape = PYRO_CFA_SHAPE_OTHER;
}

/* breg alone: at a place relative to the frame pointer or the stack pointer. */
void
pyro_cfi_read_slot_expression (PyroBytes expression, PyroSlot *slot)
{
  guint32 reg;
  gint32 offset;

  slot->kind = PYRO_SLOT_OTHER;
  slot->offset = 0;
  if (expression.bad || !read_breg (&expression, &reg, &offset)
      || pyro_bytes_left (&expression) != 0)
    return;
  if (reg == PYRO_DWARF_FP)
    slot->kind = PYRO_SLOT_FP;
  else if (reg == PYRO_DWARF_SP)
    slot->kind = PYRO_SLOT_SP;
  slot->offset = offset;
}
