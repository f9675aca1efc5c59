/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/call-arguments.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <string.h>

/* How far before the call its arguments are looked for, in bytes. */
#define WINDOW 128

/* How many places an instruction may begin at are tried. */
#define TRIES_MAX 12

#define PUSHES_MAX 8

/* What is read of one file. GStreamer's own library takes 40 000. */
#define INSTRUCTIONS_MAX 2000000

/* The registers by their number in instructions: 0 is RAX. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, N_REGISTERS = 16 };

typedef struct {
  gboolean known;
  gboolean loaded;
  guint64 value;
} Value;

typedef struct {
  Value registers[N_REGISTERS];
  Value pushes[PUSHES_MAX]; /* the last one first */
} State;

struct _PyroCallReader {
  const PyroCodeImage *image;
  csh handle;
  cs_insn *instruction;
  guint n_instructions;
  gint8 numbers[X86_REG_ENDING];  /* of each register and its parts, or -1 */
  gboolean whole[X86_REG_ENDING]; /* writing it sets all of the register */
};

static void
fill_numbers (PyroCallReader *reader)
{
  static const guint16 names[N_REGISTERS][5] = {
    { X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH },
    { X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH },
    { X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH },
    { X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH },
    { X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL, 0 },
    { X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL, 0 },
    { X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL, 0 },
    { X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL, 0 },
    { X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B, 0 },
    { X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B, 0 },
    { X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B, 0 },
    { X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B, 0 },
    { X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B, 0 },
    { X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B, 0 },
    { X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B, 0 },
    { X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B, 0 },
  };

  memset (reader->numbers, -1, sizeof reader->numbers);
  for (gint i = 0; i < N_REGISTERS; i++) {
    for (guint j = 0; j < G_N_ELEMENTS (names[i]) && names[i][j] != 0; j++) {
      reader->numbers[names[i][j]] = i;
      reader->whole[names[i][j]] = j < 2;
    }
  }
}

PyroCallReader *
pyro_call_reader_new (const PyroCodeImage *image)
{
  PyroCallReader *reader;
  csh handle;

  if (image->machine != EM_X86_64
      || cs_open (CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
    return NULL;
  cs_option (handle, CS_OPT_DETAIL, CS_OPT_ON);
  reader = g_new0 (PyroCallReader, 1);
  reader->image = image;
  reader->handle = handle;
  reader->instruction = cs_malloc (handle);
  fill_numbers (reader);
  return reader;
}

void
pyro_call_reader_free (PyroCallReader *reader)
{
  cs_free (reader->instruction, 1);
  cs_close (&reader->handle);
  g_free (reader);
}

/* Whether BYTES begin with what loads the address of a constant into a
 * register, or a number into one of the last parameters. That this is the
 * middle of another instruction is so rare that what would follow from it
 * (an address of a name) does not. */
static gboolean
is_load (const guint8 *bytes)
{
  return ((bytes[0] & 0xfb) == 0x48 && bytes[1] == 0x8d
          && (bytes[2] & 0xc7) == 0x05)
         || (bytes[0] == 0x41 && (bytes[1] == 0xb8 || bytes[1] == 0xb9));
}

static Value
unknown (void)
{
  return (Value){ 0 };
}

/* What OPERAND of INSTRUCTION is, where that does not depend on the run. */
static Value
value_of (const PyroCallReader *reader, const State *state,
          const cs_insn *instruction, const cs_x86_op *operand)
{
  switch (operand->type) {
  case X86_OP_IMM:
    return (Value){ .known = TRUE, .value = operand->imm };
  case X86_OP_REG:
    return reader->numbers[operand->reg] >= 0 && reader->whole[operand->reg]
               ? state->registers[reader->numbers[operand->reg]]
               : unknown ();
  case X86_OP_MEM:
    return operand->mem.base == X86_REG_RIP
                   && operand->mem.index == X86_REG_INVALID
               ? (Value){ .known = TRUE,
                          .loaded = TRUE,
                          .value = instruction->address + instruction->size
                                   + operand->mem.disp }
               : unknown ();
  default:
    return unknown ();
  }
}

static void
push (State *state, Value value)
{
  memmove (state->pushes + 1, state->pushes,
           sizeof state->pushes - sizeof *state->pushes);
  state->pushes[0] = value;
}

/* Callees keep RBX, RBP and R12 to R15 (System V ABI). */
static void
forget_after_call (State *state)
{
  static const guint8 lost[] = { RAX, RCX, RDX, RSI, RDI, R8, R9, 10, 11 };

  for (guint i = 0; i < G_N_ELEMENTS (lost); i++)
    state->registers[lost[i]] = unknown ();
  memset (state->pushes, 0, sizeof state->pushes);
}

static void
forget_written (PyroCallReader *reader, State *state)
{
  cs_regs read, written;
  guint8 n_read, n_written;

  if (cs_regs_access (reader->handle, reader->instruction, read, &n_read,
                      written, &n_written)
      != CS_ERR_OK) {
    memset (state, 0, sizeof *state);
    return;
  }
  for (guint i = 0; i < n_written; i++) {
    const gint number = reader->numbers[written[i]];

    if (number == RSP)
      memset (state->pushes, 0, sizeof state->pushes);
    if (number >= 0)
      state->registers[number] = unknown ();
  }
}

/* FALSE: what comes next is not reached from here. */
static gboolean
step (PyroCallReader *reader, State *state)
{
  const cs_insn *instruction = reader->instruction;
  const cs_x86 *x86 = &instruction->detail->x86;
  const cs_x86_op *operands = x86->operands;
  Value value = unknown ();

  switch (instruction->id) {
  case X86_INS_JMP:
  case X86_INS_LJMP:
  case X86_INS_RET:
  case X86_INS_UD2:
  case X86_INS_HLT:
  case X86_INS_INT3:
    return FALSE;
  case X86_INS_CALL:
    forget_after_call (state);
    return TRUE;
  case X86_INS_PUSH:
    push (state, value_of (reader, state, instruction, &operands[0]));
    return TRUE;
  case X86_INS_LEA:
    value = value_of (reader, state, instruction, &operands[1]);
    value.loaded = FALSE;
    break;
  case X86_INS_MOV:
  case X86_INS_MOVABS:
    /* Only what fits is copied whole. */
    if (operands[0].type == X86_OP_REG && operands[0].size >= 4)
      value = value_of (reader, state, instruction, &operands[1]);
    break;
  default:
    break;
  }
  forget_written (reader, state);
  if (value.known && x86->op_count == 2 && operands[0].type == X86_OP_REG
      && reader->numbers[operands[0].reg] >= 0 && reader->whole[operands[0].reg]
      && reader->numbers[operands[0].reg] != RSP)
    state->registers[reader->numbers[operands[0].reg]] = value;
  return TRUE;
}

/* Goes from FROM to TO. FALSE: TO is not reached from there; nothing before
 * NEXT is worth another try. */
static gboolean
follow (PyroCallReader *reader, guint64 from, guint64 to, State *state,
        guint64 *next)
{
  guint64 address = from;
  const guint8 *code;
  gsize size;

  memset (state, 0, sizeof *state);
  *next = from + 1;
  code = pyro_code_image_find (reader->image, from, &size);
  while (address < to) {
    if (reader->n_instructions == INSTRUCTIONS_MAX
        || !cs_disasm_iter (reader->handle, &code, &size, &address,
                            reader->instruction))
      return FALSE;
    reader->n_instructions++;
    if (address <= to && !step (reader, state)) {
      *next = address;
      return FALSE;
    }
  }
  return address == to;
}

static void
set_argument (PyroCallArguments *arguments, guint index, const Value *value)
{
  arguments->known[index] = value->known;
  arguments->loaded[index] = value->loaded;
  arguments->value[index] = value->value;
}

void
pyro_call_reader_read (PyroCallReader *reader, guint64 start, guint64 address,
                       PyroCallArguments *arguments)
{
  static const guint8 order[] = { RDI, RSI, RDX, RCX, R8, R9 };
  guint64 from = MAX (start, address - MIN (address, WINDOW));
  const guint8 *code;
  State state = { 0 };
  gsize size;
  guint n = 0;

  memset (arguments, 0, sizeof *arguments);
  code = pyro_code_image_find (reader->image, from, &size);
  if (code == NULL || size < address - from)
    return;
  for (guint64 at = from; at + 6 <= address && n < TRIES_MAX;) {
    guint64 next = at + 1;

    if (is_load (code + (at - from))) {
      n++;
      if (follow (reader, at, address, &state, &next))
        break;
    }
    at = next;
    memset (&state, 0, sizeof state);
  }
  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    set_argument (arguments, i, &state.registers[order[i]]);
  for (guint i = G_N_ELEMENTS (order); i < PYRO_ARGUMENTS_MAX; i++)
    set_argument (arguments, i, &state.pushes[i - G_N_ELEMENTS (order)]);
}
