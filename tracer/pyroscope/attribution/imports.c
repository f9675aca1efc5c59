/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "imports.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module-mark.h"
#include "unwinding/loader.h"

#if defined(__x86_64__)
#define TYPE_JUMP_SLOT R_X86_64_JUMP_SLOT
#define IS_SLOT(type)                                          \
  ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT \
   || (type) == R_X86_64_64)
#elif defined(__aarch64__)
#define TYPE_JUMP_SLOT R_AARCH64_JUMP_SLOT
#define IS_SLOT(type)                                            \
  ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT \
   || (type) == R_AARCH64_ABS64)
#else
#define TYPE_JUMP_SLOT 0
#define IS_SLOT(type) FALSE
#endif

/* Modules in which nothing is left to do, by the address of their program
 * headers. */
#define MAX_KNOWN 4096 /* a power of two; more are looked at each time */

/* What stands in the place of headers of one that was unloaded. */
#define WAS_KNOWN 1

typedef struct {
  PyroModuleMark mark;
  gpointer *slot; /* one of interest; NULL: there is none */
  gpointer value; /* that it was left with */
  guint epoch;    /* in which it was seen to be there */
} Known;

/* How often a slot is looked at again if others change it. */
#define MAX_TRIES 8

/* The loader's lock is let go after so many relocations, or as many marks that
 * were compared. */
#define CHUNK 32768
#define MARK_COST 256

static struct {
  gint is_passing; /* atomic: one thread has what follows */
  gint is_wanted;  /* atomic: another one has asked meanwhile */
  Known known[MAX_KNOWN];
  guint n_known;      /* with those that were */
  guint64 adds, subs; /* the loader's: when nothing was left to do; at last */
  guint epoch;        /* grows when modules were unloaded */
  gboolean is_swept;  /* modules of earlier epochs are not known any more */
  gboolean complete;  /* nothing was left over */
} state;

typedef struct {
  const PyroImport *imports;
  guint n_imports;
  PyroImportsResult *result;
  guint64 adds;
  gint64 left; /* of the chunk */
  gboolean has_begun, left_over;
  gpointer *slot; /* see Known; of the module that is looked at */
  gpointer value;
} Pass;

/* The module's place, or the empty one where it would be; NULL: there is none.
 */
static Known *
find_known (guintptr headers)
{
  guint at = (guint)(headers * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 52);
  Known *free_place = NULL;

  for (guint i = 0; i < MAX_KNOWN; i++, at = (at + 1) % MAX_KNOWN) {
    Known *known = &state.known[at];

    if (known->mark.headers == headers)
      return known;
    if (known->mark.headers == WAS_KNOWN && free_place == NULL)
      free_place = known;
    if (known->mark.headers == 0)
      return free_place != NULL ? free_place : known;
  }
  return free_place;
}

static void
forget_all (void)
{
  memset (state.known, 0, sizeof state.known);
  state.n_known = 0;
}

static void
remember (const Pass *pass, const struct dl_phdr_info *info,
          const PyroDynamicSection *section)
{
  Known *known;

  if (state.n_known >= MAX_KNOWN / 2)
    forget_all ();
  known = find_known ((guintptr)info->dlpi_phdr);
  if (known == NULL)
    return;
  state.n_known += known->mark.headers == 0;
  pyro_module_mark_take (&known->mark, info, section);
  known->slot = pass->slot;
  known->value = pass->value;
  known->epoch = state.epoch;
}

/* One of the same file may have taken its place, whose slots are as the loader
 * left them. */
static gboolean
is_still_there (const Known *known, const struct dl_phdr_info *info)
{
  gpointer value;

  return pyro_module_mark_holds (&known->mark, info)
         && (known->slot == NULL
             || (pyro_loader_read_memory ((guintptr)known->slot, sizeof value,
                                          &value)
                     == sizeof value
                 && value == known->value));
}

/* If it is, that is noted. */
static gboolean
is_done (Known *known, const struct dl_phdr_info *info)
{
  if (!is_still_there (known, info)) {
    known->mark.headers = WAS_KNOWN;
    return FALSE;
  }
  known->epoch = state.epoch;
  return TRUE;
}

/* All that are there have been seen. */
static void
sweep (void)
{
  if (state.is_swept)
    return;
  for (guint i = 0; i < MAX_KNOWN; i++)
    if (state.known[i].mark.headers > WAS_KNOWN
        && state.known[i].epoch != state.epoch)
      state.known[i].mark.headers = WAS_KNOWN;
  state.is_swept = TRUE;
}

typedef enum { WRITABLE, READ_ONLY, UNKNOWN } Access;

/* Asks the kernel to OR nothing into it: an atomic write that changes nothing,
 * so that the loader may write at the same time (futex(2), FUTEX_WAKE_OP). */
static Access
find_access (gpointer *slot)
{
  guint32 nobody = 0;

  if (syscall (SYS_futex, &nobody, FUTEX_WAKE_OP_PRIVATE, 0, NULL, slot,
               FUTEX_OP (FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0))
      >= 0)
    return WRITABLE;
  return errno == EFAULT ? READ_ONLY : UNKNOWN;
}

static gboolean
swap (gpointer *slot, gpointer expected, gpointer wrapper)
{
  return __atomic_compare_exchange_n (slot, &expected, wrapper, FALSE,
                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

typedef enum { STORED, CHANGED, REFUSED } Stored;

static Stored
swap_once (gpointer *slot, gpointer expected, gpointer wrapper)
{
  return swap (slot, expected, wrapper) ? STORED : CHANGED;
}

static Stored
store (const PyroDynamicSection *section, gpointer *slot, gpointer expected,
       gpointer wrapper)
{
  const gsize page_size = (gsize)sysconf (_SC_PAGESIZE);
  void *page = (void *)((guintptr)slot & ~(page_size - 1));
  Stored result;

  switch (find_access (slot)) {
  case WRITABLE:
    return swap_once (slot, expected, wrapper);
  case READ_ONLY:
    /* Only what was made read-only by the loader, when it was done. */
    if ((guintptr)slot < section->relro_start
        || (guintptr)slot >= section->relro_limit
        || mprotect (page, page_size, PROT_READ | PROT_WRITE) != 0)
      return REFUSED;
    result = swap_once (slot, expected, wrapper);
    mprotect (page, page_size, PROT_READ);
    return result;
  default:
    return REFUSED;
  }
}

static gboolean
is_within (const PyroDynamicSection *section, gpointer value)
{
  return (guintptr)value >= section->start && (guintptr)value < section->limit;
}

/* TRUE: nothing is left to do with it. The loader, which binds it to what we
 * would have found a moment later, may change it meanwhile: then it is looked
 * at again. */
static gboolean
rewrite_slot (Pass *pass, const PyroDynamicSection *section, gpointer *slot,
              const PyroImport *import, gboolean is_weak)
{
  for (guint i = 0; i < MAX_TRIES; i++) {
    gpointer value = __atomic_load_n (slot, __ATOMIC_ACQUIRE);
    gboolean is_lazy = is_within (section, value);

    pass->slot = slot;
    pass->value = value;
    if (value == import->wrapper)
      return TRUE;
    if (value != import->original && !is_lazy) {
      /* Small numbers are not relocated yet; a weak import may stay 0. */
      if ((guintptr)value < section->limit - section->start)
        return value == NULL && is_weak;
      pass->result->foreign++;
      return TRUE;
    }
    switch (store (section, slot, value, import->wrapper)) {
    case STORED:
      pass->result->rewritten++;
      pass->value = import->wrapper;
      /* The loader, on its way through a first call, may yet overwrite it. */
      return !is_lazy;
    case REFUSED:
      pass->result->refused++;
      return TRUE;
    case CHANGED:
      break;
    }
  }
  return FALSE;
}

static gboolean
may_import (const PyroDynamicSection *section, const PyroImport *import)
{
  return import->importer == NULL
         || (!section->has_run_path && section->soname != 0
             && g_str_has_prefix (
                 pyro_dynamic_section_string (section, section->soname),
                 import->importer));
}

static const PyroImport *
find_import (const Pass *pass, const PyroDynamicSection *section, gsize symbol)
{
  const ElfW (Sym) *entry = &section->symbols[symbol];
  const gchar *name;

  /* What the module defines itself and may be replaced by others is meant for
   * itself. */
  if (entry->st_shndx != SHN_UNDEF)
    return NULL;
  name = pyro_dynamic_section_string (section, entry->st_name);
  for (guint i = 0; i < pass->n_imports; i++)
    if (name[0] == pass->imports[i].name[0]
        && strcmp (name, pass->imports[i].name) == 0
        && may_import (section, &pass->imports[i]))
      return &pass->imports[i];
  return NULL;
}

static gboolean
rewrite_table (Pass *pass, const PyroDynamicSection *section,
               const ElfW (Rela) * table, gsize n)
{
  gboolean done = TRUE;

  for (gsize i = 0; i < n; i++) {
    gsize symbol = ELF64_R_SYM (table[i].r_info);
    guintptr address = section->base + table[i].r_offset;
    const PyroImport *import;

    if (symbol == 0 || !IS_SLOT (ELF64_R_TYPE (table[i].r_info))
        || (ELF64_R_TYPE (table[i].r_info) != TYPE_JUMP_SLOT
            && table[i].r_addend != 0)
        || address % sizeof (gpointer) != 0 || address < section->start
        || address > section->limit - sizeof (gpointer))
      continue;
    import = find_import (pass, section, symbol);
    if (import != NULL)
      done &= rewrite_slot (pass, section, (gpointer *)address, import,
                            ELF64_ST_BIND (section->symbols[symbol].st_info)
                                == STB_WEAK);
  }
  return done;
}

/* The loader's counters. FALSE: nothing was loaded since all was done. */
static gboolean
begin (Pass *pass, const struct dl_phdr_info *info, gsize size)
{
  gboolean has_counters = size >= offsetof (struct dl_phdr_info, dlpi_subs)
                                      + sizeof info->dlpi_subs;

  pass->has_begun = TRUE;
  pass->adds = has_counters ? info->dlpi_adds : 0;
  if (has_counters && state.complete && info->dlpi_adds == state.adds)
    return FALSE;
  if (!has_counters || info->dlpi_subs != state.subs) {
    state.epoch++;
    state.is_swept = FALSE;
    state.subs = has_counters ? info->dlpi_subs : 0;
  }
  return TRUE;
}

/* What it returns ends the iteration; a chunk is full only where something was
 * done that the next one finds done. */
enum { GO_ON, NOTHING_NEW, CHUNK_IS_FULL };

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Pass *pass = data;
  PyroDynamicSection section;
  gboolean done = TRUE;
  Known *known;

  if (!pass->has_begun && !begin (pass, info, size))
    return NOTHING_NEW;
  known = find_known ((guintptr)info->dlpi_phdr);
  if (known != NULL && known->mark.headers > WAS_KNOWN) {
    if (known->epoch == state.epoch)
      return GO_ON;
    pass->left -= MARK_COST;
    if (is_done (known, info))
      return pass->left > 0 ? GO_ON : CHUNK_IS_FULL;
  }
  if (!pyro_dynamic_section_read (&section, info, TRUE))
    return GO_ON;
  pass->result->looked_at++;
  pass->slot = NULL;
  /* Ours is recognised by its address: there may be two copies of a file. */
  if ((guintptr)&state < section.start || (guintptr)&state >= section.limit)
    for (guint i = 0; i < G_N_ELEMENTS (section.tables); i++) {
      done &= rewrite_table (pass, &section, section.tables[i],
                             section.n_relocations[i]);
      pass->left -= (gint64)section.n_relocations[i];
    }
  if (done)
    remember (pass, info, &section);
  pass->left_over |= !done;
  return !done || pass->left > 0 ? GO_ON : CHUNK_IS_FULL;
}

/* FALSE: something is left. */
static gboolean
go_through_all (Pass *pass, guint budget)
{
  gint64 left = budget;

  for (;;) {
    int result = GO_ON;
    gint64 chunk = budget == 0 ? CHUNK : MIN (left, CHUNK);

    pass->left = chunk;
    pass->has_begun = pass->left_over = FALSE;
    if (budget == 0)
      result = pyro_loader_iterate (on_module, pass);
    else if (!pyro_loader_iterate_as_guest (on_module, pass, &result))
      return FALSE;
    left -= chunk - pass->left;
    if (result == NOTHING_NEW)
      return TRUE;
    if (result == GO_ON)
      break;
    if (budget != 0 && left <= 0)
      return FALSE;
  }
  sweep ();
  state.adds = pass->adds;
  state.complete = !pass->left_over && pass->adds != 0;
  return !pass->left_over;
}

gboolean
pyro_imports_rewrite (const PyroImport *imports, guint n_imports, guint budget,
                      PyroImportsResult *result)
{
  Pass pass = { .imports = imports, .n_imports = n_imports, .result = result };
  int saved_errno = errno;
  gboolean all_done = FALSE;

  __atomic_store_n (&state.is_wanted, TRUE, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&state.is_wanted, __ATOMIC_SEQ_CST)
         && !__atomic_exchange_n (&state.is_passing, TRUE, __ATOMIC_SEQ_CST)) {
    if (__atomic_exchange_n (&state.is_wanted, FALSE, __ATOMIC_SEQ_CST))
      all_done = go_through_all (&pass, budget);
    __atomic_store_n (&state.is_passing, FALSE, __ATOMIC_SEQ_CST);
  }
  errno = saved_errno;
  return all_done;
}

void
pyro_imports_fork_child (void)
{
  state.is_passing = state.is_wanted = FALSE;
  /* What was being written at that moment is not known. */
  forget_all ();
  state.complete = FALSE;
}
