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

/* Symbols of interest in one module. */
#define MAX_WANTED 96

/* How often a slot is looked at again if others change it. */
#define MAX_TRIES 8

/* The loader's lock is let go after so many relocations, or what takes as long:
 * marks that are compared, modules that are looked at. */
#define CHUNK 32768
#define MARK_COST 256
#define MODULE_COST 1024

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

/* The symbols of interest that a module imports. */
typedef struct {
  struct {
    gsize symbol;
    const PyroImport *import;
  } items[MAX_WANTED];
  guint n;
  guint64 bits; /* of the symbols' numbers, modulo 64 */
} Wanted;

typedef struct {
  const PyroImport *imports;
  guint n_imports;
  PyroImportsResult *result;
  guint64 name_bits; /* of all imports' names */
  guint64 adds;
  gint64 left; /* of the chunk */
  gboolean has_begun, left_over;
  gpointer *slot; /* see Known; of the module that is looked at */
  gpointer value;
  Wanted wanted;   /* likewise */
  void *open_page; /* read-only, but for what is written now; NULL: none */
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

/* Slots stand beside each other: a page is closed when all of its are done. */
static void
close_page (Pass *pass)
{
  if (pass->open_page != NULL)
    mprotect (pass->open_page, (gsize)sysconf (_SC_PAGESIZE), PROT_READ);
  pass->open_page = NULL;
}

static gboolean
open_page (Pass *pass, gpointer *slot)
{
  void *page = (void *)((guintptr)slot & ~((gsize)sysconf (_SC_PAGESIZE) - 1));

  close_page (pass);
  if (mprotect (page, (gsize)sysconf (_SC_PAGESIZE), PROT_READ | PROT_WRITE)
      != 0)
    return FALSE;
  pass->open_page = page;
  return TRUE;
}

static Stored
store (Pass *pass, const PyroDynamicSection *section, gpointer *slot,
       gpointer expected, gpointer wrapper)
{
  switch (find_access (slot)) {
  case WRITABLE:
    return swap_once (slot, expected, wrapper);
  case READ_ONLY:
    /* Only what was made read-only by the loader, when it was done. */
    if ((guintptr)slot < section->relro_start
        || (guintptr)slot >= section->relro_limit || !open_page (pass, slot))
      return REFUSED;
    return swap_once (slot, expected, wrapper);
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
    switch (store (pass, section, slot, value, import->wrapper)) {
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
  if (import->importer == NULL)
    return TRUE;
  if (section->has_run_path)
    return FALSE;
  return import->importer[0] == '\0'
         || (section->soname != 0
             && g_str_has_prefix (
                 pyro_dynamic_section_string (section, section->soname),
                 import->importer));
}

/* A bit for a name's first characters: most names have one that no import has.
 */
static guint64
name_bit (const gchar *name)
{
  guint hash = 0;

  for (guint i = 0; i < 6 && name[i] != '\0'; i++)
    hash = hash * 33 + (guint8)name[i];
  return G_GUINT64_CONSTANT (1) << hash % 64;
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
  if ((pass->name_bits & name_bit (name)) == 0)
    return NULL;
  for (guint i = 0; i < pass->n_imports; i++)
    if (strcmp (name, pass->imports[i].name) == 0
        && may_import (section, &pass->imports[i]))
      return &pass->imports[i];
  return NULL;
}

/* FALSE: that is not known before all relocations are looked at. */
static gboolean
find_wanted (Pass *pass, const PyroDynamicSection *section, Wanted *wanted)
{
  gsize n = pyro_dynamic_section_count_imported (section);

  wanted->n = 0;
  wanted->bits = 0;
  for (gsize i = 1; i < n; i++) {
    const PyroImport *import = find_import (pass, section, i);

    if (import == NULL)
      continue;
    if (wanted->n == MAX_WANTED)
      return FALSE;
    wanted->items[wanted->n].symbol = i;
    wanted->items[wanted->n++].import = import;
    wanted->bits |= G_GUINT64_CONSTANT (1) << i % 64;
  }
  pass->left -= (gint64)n;
  return n > 0;
}

/* WANTED: NULL: its name has to tell. */
static const PyroImport *
get_import (const Pass *pass, const PyroDynamicSection *section,
            const Wanted *wanted, gsize symbol)
{
  if (wanted == NULL)
    return find_import (pass, section, symbol);
  if ((wanted->bits >> symbol % 64 & 1) == 0)
    return NULL;
  for (guint i = 0; i < wanted->n; i++)
    if (wanted->items[i].symbol == symbol)
      return wanted->items[i].import;
  return NULL;
}

static gboolean
rewrite_table (Pass *pass, const PyroDynamicSection *section,
               const Wanted *wanted, const ElfW (Rela) * table, gsize n)
{
  gboolean done = TRUE;

  for (gsize i = 0; i < n; i++) {
    gsize symbol = ELF64_R_SYM (table[i].r_info);
    guintptr address = section->base + table[i].r_offset;
    const PyroImport *import
        = symbol != 0 ? get_import (pass, section, wanted, symbol) : NULL;

    if (import == NULL || !IS_SLOT (ELF64_R_TYPE (table[i].r_info))
        || (ELF64_R_TYPE (table[i].r_info) != TYPE_JUMP_SLOT
            && table[i].r_addend != 0)
        || address % sizeof (gpointer) != 0 || address < section->start
        || address > section->limit - sizeof (gpointer))
      continue;
    done &= rewrite_slot (pass, section, (gpointer *)address, import,
                          ELF64_ST_BIND (section->symbols[symbol].st_info)
                              == STB_WEAK);
  }
  pass->left -= (gint64)n;
  return done;
}

typedef enum { DONE, NOT_DONE, NOT_READABLE } Outcome;

/* Most modules import nothing of interest, which their symbols tell: the
 * relocations, of which large libraries have a hundred thousand, are only
 * looked at where they have to be written. */
static Outcome
rewrite_module (Pass *pass, PyroDynamicSection *section,
                const struct dl_phdr_info *info)
{
  const Wanted *wanted = &pass->wanted;
  Outcome outcome = DONE;

  pass->left -= MODULE_COST;
  if (!pyro_dynamic_section_read (section, info, FALSE))
    return NOT_READABLE;
  pass->result->looked_at++;
  pass->slot = NULL;
  /* Ours is recognised by its address: there may be two copies of a file. */
  if ((guintptr)&state >= section->start && (guintptr)&state < section->limit)
    return DONE;
  if (!find_wanted (pass, section, &pass->wanted))
    wanted = NULL;
  else if (wanted->n == 0)
    return DONE;
  if (wanted != NULL ? !pyro_dynamic_section_has_relocations (section)
                     : !pyro_dynamic_section_read (section, info, TRUE))
    return NOT_READABLE;
  for (guint i = 0; i < G_N_ELEMENTS (section->tables); i++)
    if (!rewrite_table (pass, section, wanted, section->tables[i],
                        section->n_relocations[i]))
      outcome = NOT_DONE;
  close_page (pass);
  return outcome;
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
  switch (rewrite_module (pass, &section, info)) {
  case DONE:
    remember (pass, info, &section);
    return pass->left > 0 ? GO_ON : CHUNK_IS_FULL;
  case NOT_DONE:
    pass->left_over = TRUE;
    return GO_ON;
  default:
    return GO_ON;
  }
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
    if (result == NOTHING_NEW) {
      pass->result->all_seen = TRUE;
      return TRUE;
    }
    if (result == GO_ON)
      break;
    if (budget != 0 && left <= 0)
      return FALSE;
  }
  sweep ();
  pass->result->all_seen = TRUE;
  state.adds = pass->adds;
  state.complete = !pass->left_over && pass->adds != 0;
  return !pass->left_over;
}

static void
pass_init (Pass *pass, const PyroImport *imports, guint n,
           PyroImportsResult *result)
{
  memset (pass, 0, sizeof *pass);
  pass->imports = imports;
  pass->n_imports = n;
  pass->result = result;
  for (guint i = 0; i < n; i++)
    pass->name_bits |= name_bit (imports[i].name);
}

gboolean
pyro_imports_rewrite (const PyroImport *imports, guint n_imports, guint budget,
                      PyroImportsResult *result)
{
  int saved_errno = errno;
  gboolean all_done = FALSE;
  Pass pass;

  pass_init (&pass, imports, n_imports, result);
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

/* The loader's lock keeps whoever else makes a pass outside meanwhile. What is
 * known of modules is not touched: the collector, who finds these later, sees
 * that nothing is left to do, or does what a first call that was on its way has
 * undone. */
static int
on_member (struct dl_phdr_info *info, size_t size, void *data)
{
  PyroDynamicSection section;

  rewrite_module (data, &section, info);
  return 0;
}

void
pyro_imports_rewrite_set (const PyroImport *imports, guint n_imports,
                          const PyroModuleSelection *set,
                          PyroImportsResult *result)
{
  int saved_errno = errno;
  Pass pass;

  pass_init (&pass, imports, n_imports, result);
  pyro_module_selection_iterate (set, on_member, &pass);
  errno = saved_errno;
}

void
pyro_imports_fork_child (void)
{
  state.is_passing = state.is_wanted = FALSE;
  /* What was being written at that moment is not known. */
  forget_all ();
  state.complete = FALSE;
}
