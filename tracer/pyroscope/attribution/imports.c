/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "imports.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dynamic-section.h"
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

/* Modules in which nothing is left to do, by base address. A module that takes
 * the place of another is only there after the loader has removed one. */
#define MAX_DONE 4096 /* a power of two; more are looked at each time */

static struct {
  pthread_mutex_t lock; /* of a pass */
  guintptr done[MAX_DONE];
  guint n_done;
  guint64 adds, subs; /* the loader's, at the last pass */
  gboolean complete;  /* nothing was left over */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

typedef struct {
  const PyroImport *imports;
  guint n_imports;
  PyroImportsResult *result;
  gboolean left_over;
} Pass;

static gboolean
find_done (guintptr base, gboolean add)
{
  guint at = (guint)(base * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 52);

  for (;; at = (at + 1) % MAX_DONE) {
    if (state.done[at] == base)
      return TRUE;
    if (state.done[at] == 0)
      break;
  }
  if (add && state.n_done < MAX_DONE / 2) {
    state.done[at] = base;
    state.n_done++;
  }
  return FALSE;
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

static gboolean
store (const PyroDynamicSection *section, gpointer *slot, gpointer expected,
       gpointer wrapper)
{
  const gsize page_size = (gsize)sysconf (_SC_PAGESIZE);
  void *page = (void *)((guintptr)slot & ~(page_size - 1));

  switch (find_access (slot)) {
  case WRITABLE:
    return swap (slot, expected, wrapper);
  case READ_ONLY:
    /* Only what was made read-only by the loader, when it was done. */
    if ((guintptr)slot < section->relro_start
        || (guintptr)slot >= section->relro_limit
        || mprotect (page, page_size, PROT_READ | PROT_WRITE) != 0)
      return FALSE;
    swap (slot, expected, wrapper);
    mprotect (page, page_size, PROT_READ);
    return TRUE;
  default:
    return FALSE;
  }
}

/* TRUE: nothing is left to do with it. */
static gboolean
rewrite_slot (const PyroDynamicSection *section, gpointer *slot,
              const PyroImport *import, gboolean is_weak,
              PyroImportsResult *result)
{
  gpointer value = __atomic_load_n (slot, __ATOMIC_ACQUIRE);
  gboolean is_lazy;

  if (value == import->wrapper)
    return TRUE;
  is_lazy
      = (guintptr)value >= section->start && (guintptr)value < section->limit;
  if (value != import->original && !is_lazy) {
    /* Small numbers are not relocated yet; a weak import may stay 0. */
    if ((guintptr)value < section->limit - section->start)
      return value == NULL && is_weak;
    result->foreign++;
    return TRUE;
  }
  if (!store (section, slot, value, import->wrapper)) {
    result->refused++;
    return TRUE;
  }
  result->rewritten++;
  /* The loader, on its way through a first call, may yet overwrite it. */
  return !is_lazy;
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
      done &= rewrite_slot (section, (gpointer *)address, import,
                            ELF64_ST_BIND (section->symbols[symbol].st_info)
                                == STB_WEAK,
                            pass->result);
  }
  return done;
}

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Pass *pass = data;
  PyroDynamicSection section;
  gboolean done = TRUE;

  state.adds = info->dlpi_adds;
  if (info->dlpi_subs != state.subs) {
    memset (state.done, 0, sizeof state.done);
    state.n_done = 0;
    state.subs = info->dlpi_subs;
  }
  /* Base 0 is a program that is not relocated: it is looked at each time. */
  if (info->dlpi_addr != 0 && find_done (info->dlpi_addr, FALSE))
    return 0;
  if (!pyro_dynamic_section_read (&section, info, TRUE))
    return 0;
  /* Ours is recognised by its address: there may be two copies of a file. */
  if ((guintptr)&state < section.start || (guintptr)&state >= section.limit)
    for (guint i = 0; i < G_N_ELEMENTS (section.tables); i++)
      done &= rewrite_table (pass, &section, section.tables[i],
                             section.n_relocations[i]);
  if (done && info->dlpi_addr != 0)
    find_done (info->dlpi_addr, TRUE);
  pass->left_over |= !done;
  return 0;
}

void
pyro_imports_rewrite (const PyroImport *imports, guint n_imports,
                      PyroImportsResult *result)
{
  Pass pass = { .imports = imports, .n_imports = n_imports, .result = result };
  int saved_errno = errno;

  pthread_mutex_lock (&state.lock);
  pyro_loader_iterate (on_module, &pass);
  __atomic_store_n (&state.complete, !pass.left_over, __ATOMIC_RELEASE);
  pthread_mutex_unlock (&state.lock);
  errno = saved_errno;
}

gboolean
pyro_imports_wants_pass (void)
{
  guint64 adds, subs;

  return !__atomic_load_n (&state.complete, __ATOMIC_ACQUIRE)
         || !pyro_loader_get_counters (&adds, &subs)
         || adds != __atomic_load_n (&state.adds, __ATOMIC_RELAXED);
}

void
pyro_imports_fork_child (void)
{
  pthread_mutex_init (&state.lock, NULL);
}
