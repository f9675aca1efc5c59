/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rule-set.h"

#define FIRST_CAPACITY 256

struct _PyroRuleSet {
  PyroRuleArray *array;
  guint n_rules;
  GHashTable *index; /* PyroRule (owned) -> its index + 1 */
};

static guint
rule_hash (gconstpointer key)
{
  const guint32 *words = key;
  guint32 hash = 2166136261u;
  gsize i;

  for (i = 0; i < sizeof (PyroRule) / sizeof *words; i++)
    hash = (hash ^ words[i]) * 16777619u;
  return hash ^ hash >> 15;
}

static gboolean
rule_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (PyroRule)) == 0;
}

static PyroRuleArray *
new_array (guint capacity)
{
  PyroRuleArray *array
      = g_malloc (sizeof *array + capacity * sizeof (PyroRule));

  array->ref_count = 1;
  array->capacity = capacity;
  return array;
}

PyroRuleSet *
pyro_rule_set_new (void)
{
  PyroRuleSet *set = g_new0 (PyroRuleSet, 1);

  set->array = new_array (FIRST_CAPACITY);
  set->index = g_hash_table_new_full (rule_hash, rule_equal, g_free, NULL);
  return set;
}

void
pyro_rule_set_free (PyroRuleSet *set)
{
  if (set == NULL)
    return;
  pyro_rule_array_unref (set->array);
  g_hash_table_unref (set->index);
  g_free (set);
}

guint
pyro_rule_set_get_n_rules (PyroRuleSet *set)
{
  return set->n_rules;
}

PyroRuleArray *
pyro_rule_set_ref_array (PyroRuleSet *set)
{
  set->array->ref_count++;
  return set->array;
}

void
pyro_rule_array_unref (PyroRuleArray *array)
{
  if (--array->ref_count == 0)
    g_free (array);
}

static guint32
intern (PyroRuleSet *set, const PyroRule *rule)
{
  guint index = GPOINTER_TO_UINT (g_hash_table_lookup (set->index, rule));

  if (index == 0) {
    if (set->n_rules > PYRO_RULE_MAX_INDEX)
      return PYRO_SPECIAL_UNSUPPORTED;
    if (set->n_rules == set->array->capacity) {
      PyroRuleArray *bigger = new_array (set->array->capacity * 2);

      memcpy (bigger->rules, set->array->rules,
              set->n_rules * sizeof (PyroRule));
      pyro_rule_array_unref (set->array);
      set->array = bigger;
    }
    set->array->rules[set->n_rules++] = *rule;
    index = set->n_rules;
    g_hash_table_insert (set->index, g_memdup2 (rule, sizeof *rule),
                         GUINT_TO_POINTER (index));
  }
  return PYRO_RULE_INDEX | (index - 1) << 2;
}

/* What the walk takes for the kernel's frame has to be what the CFI says. The
 * trampolines of glibc, musl and the vDSO all describe it by expressions. */
static guint32
pack_signal (const PyroCfiState *state)
{
#if defined(__x86_64__)
  if (state->cfa_shape == PYRO_CFA_SHAPE_DEREF
      && state->cfa_reg == PYRO_DWARF_SP && state->cfa_offset == 160
      && state->slots[PYRO_TRACK_RA].kind == PYRO_SLOT_SP
      && state->slots[PYRO_TRACK_RA].offset == 168)
    return PYRO_SPECIAL_SIGNAL;
  return PYRO_SPECIAL_UNSUPPORTED;
#else
  return PYRO_SPECIAL_SIGNAL;
#endif
}

/* FALSE: no rule can say this. An undefined register is as good as any. */
static gboolean
convert_slot (const PyroSlot *slot, guint8 *from, gint32 *offset)
{
  *offset = slot->offset;
  switch (slot->kind) {
  case PYRO_SLOT_SAME:
  case PYRO_SLOT_UNDEFINED:
    *from = PYRO_FROM_SAME;
    *offset = 0;
    return TRUE;
  case PYRO_SLOT_CFA:
    *from = PYRO_FROM_CFA;
    return TRUE;
  case PYRO_SLOT_FP:
    *from = PYRO_FROM_FP;
    return TRUE;
  case PYRO_SLOT_SP:
    *from = PYRO_FROM_SP;
    return TRUE;
  case PYRO_SLOT_REGISTER:
    *from = PYRO_FROM_REGISTER;
    return TRUE;
  default:
    return FALSE;
  }
}

static gboolean
has_saved (const PyroCfiState *state)
{
  guint i;

  for (i = 0; i < PYRO_N_SAVED; i++) {
    if (state->slots[PYRO_TRACK_SAVED + i].kind != PYRO_SLOT_SAME)
      return TRUE;
  }
  return FALSE;
}

/* The common shapes, in the row itself; PYRO_SPECIAL_NONE if STATE has another.
 */
static guint32
pack_common (const PyroCfiState *state)
{
  const PyroSlot *ra = &state->slots[PYRO_TRACK_RA];
  const PyroSlot *fp = &state->slots[PYRO_TRACK_FP];
  gint32 words, slot = 0;
  guint32 kind;

  if (state->cfa_shape != PYRO_CFA_SHAPE_REGISTER || state->cfa_offset < 0
      || state->cfa_offset % 8 != 0)
    return PYRO_SPECIAL_NONE;
  if (state->cfa_reg == PYRO_DWARF_SP)
    kind = PYRO_RULE_SP;
  else if (state->cfa_reg == PYRO_DWARF_FP)
    kind = PYRO_RULE_FP;
  else
    return PYRO_SPECIAL_NONE;
  words = state->cfa_offset / 8;
  if (fp->kind == PYRO_SLOT_CFA) {
    if (fp->offset >= 0 || fp->offset % 8 != 0)
      return PYRO_SPECIAL_NONE;
    slot = -(fp->offset / 8);
  } else if (fp->kind != PYRO_SLOT_SAME) {
    return PYRO_SPECIAL_NONE;
  }
  if (words > PYRO_RULE_MAX_WORDS || slot > PYRO_RULE_MAX_SLOT)
    return PYRO_SPECIAL_NONE;
#if defined(__x86_64__)
  if (ra->kind != PYRO_SLOT_CFA || ra->offset != -8)
    return PYRO_SPECIAL_NONE;
#else
  if (slot == 0 ? ra->kind != PYRO_SLOT_SAME
                : ra->kind != PYRO_SLOT_CFA || ra->offset != fp->offset + 8)
    return PYRO_SPECIAL_NONE;
#endif
  return PYRO_RULE_PACK (kind, words, slot);
}

/* FALSE: not all of them can be said, so none is. */
static gboolean
convert_saved (const PyroCfiState *state, PyroRule *rule)
{
  guint i;

  for (i = 0; i < PYRO_N_SAVED; i++) {
    const PyroSlot *slot = &state->slots[PYRO_TRACK_SAVED + i];
    gint32 words = slot->offset / 8;

    if (slot->kind == PYRO_SLOT_SAME || slot->kind == PYRO_SLOT_UNDEFINED)
      continue;
    if (slot->kind != PYRO_SLOT_CFA || slot->offset % 8 != 0
        || words < G_MININT16 || words > G_MAXINT16) {
      memset (rule->saved, 0, sizeof rule->saved);
      return FALSE;
    }
    rule->saved[i] = (gint16)words;
  }
  return TRUE;
}

guint32
pyro_rule_set_pack (PyroRuleSet *set, const PyroCfiState *state,
                    gboolean is_signal, gboolean with_saved)
{
  const PyroSlot *sp = &state->slots[PYRO_TRACK_SP];
  const PyroSlot *ra = &state->slots[PYRO_TRACK_RA];
  PyroRule rule = { 0 };
  guint32 packed;

  if (ra->kind == PYRO_SLOT_UNDEFINED)
    return PYRO_SPECIAL_ROOT;
  if (is_signal)
    return pack_signal (state);
  /* The walk takes the CFA for the caller's stack pointer. */
  if (sp->kind != PYRO_SLOT_SAME
      && (sp->kind != PYRO_SLOT_IS_CFA || sp->offset != 0))
    return PYRO_SPECIAL_UNSUPPORTED;
#if defined(__x86_64__)
  if (ra->kind == PYRO_SLOT_SAME)
    return PYRO_SPECIAL_UNSUPPORTED;
#endif
  if (!with_saved || !has_saved (state)) {
    packed = pack_common (state);
    if (packed != PYRO_SPECIAL_NONE)
      return packed | (with_saved ? PYRO_RULE_SAVED_KNOWN : 0);
  }

  switch (state->cfa_shape) {
  case PYRO_CFA_SHAPE_REGISTER:
    rule.cfa = PYRO_CFA_REGISTER;
    break;
  case PYRO_CFA_SHAPE_DEREF:
    rule.cfa = PYRO_CFA_DEREF;
    break;
  case PYRO_CFA_SHAPE_PLT:
    rule.cfa = PYRO_CFA_PLT;
    break;
  default:
    return PYRO_SPECIAL_UNSUPPORTED;
  }
  rule.cfa_reg = (guint8)state->cfa_reg;
  rule.cfa_offset = state->cfa_offset;
  rule.cfa_add
      = state->cfa_shape == PYRO_CFA_SHAPE_REGISTER ? 0 : state->cfa_add;
  if (!convert_slot (ra, &rule.ra_from, &rule.ra_offset)
      || !convert_slot (&state->slots[PYRO_TRACK_FP], &rule.fp_from,
                        &rule.fp_offset))
    return PYRO_SPECIAL_UNSUPPORTED;
  if (with_saved)
    rule.saved_known = convert_saved (state, &rule);
  return intern (set, &rule);
}
