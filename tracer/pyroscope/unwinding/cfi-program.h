/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: executes call frame instructions: from a CIE and an FDE to unwind rows.
 * Owner: everything is the caller's.
 * Threads: any; no shared state.
 *
 * Sources: DWARF 5, section 6.4.2 and 7.24; LSB 5.0, 10.6.1 (GNU extensions).
 */
#pragma once

#include "cfi-reader.h"
#include "tables.h"

G_BEGIN_DECLS

/* Where a register of the caller is found. */
typedef enum {
  PYRO_SLOT_SAME,
  PYRO_SLOT_UNDEFINED,
  PYRO_SLOT_CFA,      /* in memory at CFA + offset */
  PYRO_SLOT_IS_CFA,   /* its value is CFA + offset */
  PYRO_SLOT_REGISTER, /* in the register whose number is offset */
  PYRO_SLOT_FP,       /* in memory at fp + offset */
  PYRO_SLOT_SP,       /* in memory at sp + offset */
  PYRO_SLOT_OTHER,    /* something that no rule can hold */
} PyroSlotKind;

typedef struct {
  gint32 kind; /* PyroSlotKind */
  gint32 offset;
} PyroSlot;

/* The registers that are followed. */
enum {
  PYRO_TRACK_RA,
  PYRO_TRACK_FP,
  PYRO_TRACK_SP,
  PYRO_TRACK_SAVED, /* PYRO_N_SAVED of them */
#if defined(__aarch64__)
  /* x19 to x28, which no rule carries */
  PYRO_TRACK_X19 = PYRO_TRACK_SAVED + PYRO_N_SAVED,
  PYRO_N_TRACKED = PYRO_TRACK_X19 + 10,
#else
  PYRO_N_TRACKED = PYRO_TRACK_SAVED + PYRO_N_SAVED,
#endif
};

typedef enum {
  PYRO_CFA_SHAPE_REGISTER,
  PYRO_CFA_SHAPE_DEREF,
  PYRO_CFA_SHAPE_PLT,
  PYRO_CFA_SHAPE_OTHER,
} PyroCfaShape;

/* The rules in force at one address. */
typedef struct {
  gint32 cfa_shape; /* PyroCfaShape */
  guint32 cfa_reg;  /* DWARF number */
  gint32 cfa_offset;
  gint32 cfa_add;
  PyroSlot slots[PYRO_N_TRACKED];
} PyroCfiState;

/* Called for each row: from ADDRESS up to the next row or the FDE's end, STATE
 * is in force. Addresses ascend. */
typedef void (*PyroCfiRowFunc) (guint64 address, const PyroCfiState *state,
                                gpointer data);

/* The state after CIE's initial instructions. FALSE: they are malformed. */
gboolean pyro_cfi_initial_state (const PyroCie *cie, PyroCfiState *initial);

/* Executes FDE's program. FALSE if it is malformed; then the rows reported so
 * far are right, and from *BAD_FROM on nothing is known. */
gboolean pyro_cfi_execute (const PyroCie *cie, const PyroCfiState *initial,
                           const PyroFde *fde, PyroCfiRowFunc row,
                           gpointer data, guint64 *bad_from);

/* Recognises the expressions that compilers and linkers write. */
void pyro_cfi_read_cfa_expression (PyroBytes expression, PyroCfiState *state);
void pyro_cfi_read_slot_expression (PyroBytes expression, PyroSlot *slot);

/* aarch64 and x86_64 numbers of the frame pointer and the stack pointer. */
#if defined(__x86_64__)
#define PYRO_DWARF_FP 6
#define PYRO_DWARF_SP 7
#define PYRO_DWARF_PC 16
#elif defined(__aarch64__)
#define PYRO_DWARF_FP 29
#define PYRO_DWARF_SP 31
#define PYRO_DWARF_PC 30 /* the return address column is lr */
#else
#error "The registers of this processor are not known here: add them."
#endif

G_END_DECLS
