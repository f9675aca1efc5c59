/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loader.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "kernel-clock.h"

#define COPY_SIZE (128u * 1024)

/* A build-id note comes first or nearly so. */
#define MAX_NOTE_BYTES 1024

#define MAX_PHDRS 64

#define FORK_WAIT_NS (100 * 1000 * 1000)

/* Held around each dl_iterate_phdr. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static gboolean gate_held_by_fork;
static pthread_t forking_thread;

int
pyro_loader_iterate (int (*func) (struct dl_phdr_info *, size_t, void *),
                     gpointer data)
{
  int result;

  pthread_mutex_lock (&gate);
  result = dl_iterate_phdr (func, data);
  pthread_mutex_unlock (&gate);
  return result;
}

/* Threads of the application's inside of dl_iterate_phdr, and forks that wait
 * for them to leave. */
static gint n_guests, n_forks;

gboolean
pyro_loader_iterate_as_guest (int (*func) (struct dl_phdr_info *, size_t,
                                           void *),
                              gpointer data, int *result)
{
  gboolean may_enter;

  __atomic_add_fetch (&n_guests, 1, __ATOMIC_SEQ_CST);
  may_enter = __atomic_load_n (&n_forks, __ATOMIC_SEQ_CST) == 0;
  if (may_enter)
    *result = dl_iterate_phdr (func, data);
  __atomic_sub_fetch (&n_guests, 1, __ATOMIC_SEQ_CST);
  return may_enter;
}

static gboolean
try_iterate (int (*func) (struct dl_phdr_info *, size_t, void *), gpointer data)
{
  if (pthread_mutex_trylock (&gate) != 0)
    return FALSE;
  dl_iterate_phdr (func, data);
  pthread_mutex_unlock (&gate);
  return TRUE;
}

void
pyro_loader_fork_prepare (void)
{
  const struct timespec moment = { .tv_nsec = 100 * 1000 };
  gint64 until_ns = pyro_clock_real () + FORK_WAIT_NS;
  struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000),
                            .tv_nsec = until_ns % 1000000000 };

  __atomic_add_fetch (&n_forks, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&n_guests, __ATOMIC_SEQ_CST) > 0
         && pyro_clock_real () < until_ns)
    nanosleep (&moment, NULL);
  if (pthread_mutex_timedlock (&gate, &until) != 0)
    return;
  gate_held_by_fork = TRUE;
  forking_thread = pthread_self ();
}

void
pyro_loader_fork_done (gboolean in_child)
{
  if (in_child)
    n_forks = n_guests = 0;
  else
    __atomic_sub_fetch (&n_forks, 1, __ATOMIC_SEQ_CST);
  if (gate_held_by_fork && pthread_equal (forking_thread, pthread_self ())) {
    gate_held_by_fork = FALSE;
    pthread_mutex_unlock (&gate);
  } else if (in_child) {
    /* Whoever holds it does not exist here. */
    pthread_mutex_init (&gate, NULL);
    gate_held_by_fork = FALSE;
  }
}

/* FALSE: a seccomp filter refuses the call. *N: bytes read, 0 for a fault. */
static gboolean
read_pieces (const struct iovec *local, const struct iovec *remote,
             guint n_remote, gsize *n)
{
  static gint is_refused;
  /* Not the process's id: the main thread may be gone, and its memory. */
  gssize result;

  if (__atomic_load_n (&is_refused, __ATOMIC_RELAXED))
    return FALSE;
  result = process_vm_readv ((pid_t)syscall (SYS_gettid), local, 1, remote,
                             n_remote, 0);
  if (result < 0 && (errno == ENOSYS || errno == EPERM)) {
    __atomic_store_n (&is_refused, TRUE, __ATOMIC_RELAXED);
    return FALSE;
  }
  *n = (gsize)MAX (result, 0);
  return TRUE;
}

gsize
pyro_loader_read_memory (guint64 address, gsize size, void *out)
{
  struct iovec local = { out, size };
  struct iovec remote = { (void *)(gsize)address, size };
  gsize n;

  if (read_pieces (&local, &remote, 1, &n))
    return n;
  memcpy (out, (const void *)(gsize)address, size);
  return size;
}

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

typedef enum { READABLE, NOT_READABLE, NOT_SAID } Readable;

/* The kernel maps the pages, which are read then anyway, and says whether one
 * would have raised a signal (madvise(2); since Linux 5.14, and not for every
 * kind of mapping). */
static Readable
populate (guint64 start, guint64 limit)
{
  int saved_errno = errno;
  Readable result = NOT_SAID;

  if (madvise ((void *)(gsize)start, (gsize)(limit - start), MADV_POPULATE_READ)
      == 0)
    result = READABLE;
  else if (errno == EFAULT || errno == ENOMEM)
    result = NOT_READABLE;
  errno = saved_errno;
  return result;
}

gboolean
pyro_loader_is_readable (guint64 address, gsize size)
{
  const gsize page = (gsize)sysconf (_SC_PAGESIZE);
  guint64 at = address, limit = address + size;
  Readable answer;

  if (limit < address)
    return FALSE;
  if (size == 0)
    return TRUE;
  answer = populate (address & ~(guint64)(page - 1), limit);
  if (answer != NOT_SAID)
    return answer == READABLE;
  while (at < limit) {
    struct iovec remote[128]; /* one byte of each page */
    guint8 bytes[G_N_ELEMENTS (remote)];
    struct iovec local = { bytes, 0 };
    gsize n;

    for (; local.iov_len < G_N_ELEMENTS (remote) && at < limit;
         at = (at | (page - 1)) + 1)
      remote[local.iov_len++] = (struct iovec){ (void *)(gsize)at, 1 };
    if (!read_pieces (&local, remote, (guint)local.iov_len, &n))
      return TRUE;
    if (n < local.iov_len)
      return FALSE;
  }
  return TRUE;
}

/* What <link.h> shows of a module. */
typedef struct {
  guintptr address, name, dynamic, next, previous;
} PublicMap;

G_STATIC_ASSERT (sizeof (PublicMap) == sizeof (struct link_map)
                 && offsetof (PublicMap, next)
                        == offsetof (struct link_map, l_next));

/* Atomic, word by word: of a mixture of two the answer is that it changed. */
static struct {
  guintptr at, address, dynamic;
} last_module;

void
pyro_loader_note_last (void)
{
  const struct link_map *map = _r_debug.r_map;

  while (map != NULL && map->l_next != NULL)
    map = map->l_next;
  if (map == NULL)
    return;
  __atomic_store_n (&last_module.at, 0, __ATOMIC_RELEASE);
  __atomic_store_n (&last_module.address, map->l_addr, __ATOMIC_RELEASE);
  __atomic_store_n (&last_module.dynamic, (guintptr)map->l_ld,
                    __ATOMIC_RELEASE);
  __atomic_store_n (&last_module.at, (guintptr)map, __ATOMIC_RELEASE);
}

/* Not a plain read: it may have been unloaded. */
gboolean
pyro_loader_has_changed (void)
{
  guintptr at = __atomic_load_n (&last_module.at, __ATOMIC_ACQUIRE);
  PublicMap map;
  struct iovec local = { &map, sizeof map };
  struct iovec remote = { (void *)at, sizeof map };
  int saved_errno = errno;
  gboolean changed = FALSE;
  gsize n;

  if (at != 0 && read_pieces (&local, &remote, 1, &n))
    changed
        = n < sizeof map || map.next != 0
          || map.address
                 != __atomic_load_n (&last_module.address, __ATOMIC_ACQUIRE)
          || map.dynamic
                 != __atomic_load_n (&last_module.dynamic, __ATOMIC_ACQUIRE);
  errno = saved_errno;
  return changed;
}

typedef struct {
  guint64 adds, subs;
  gboolean is_known;
} Counters;

static int
on_first (struct dl_phdr_info *info, size_t size, void *data)
{
  Counters *counters = data;

  counters->is_known = size >= offsetof (struct dl_phdr_info, dlpi_subs)
                                   + sizeof info->dlpi_subs;
  if (counters->is_known) {
    counters->adds = info->dlpi_adds;
    counters->subs = info->dlpi_subs;
  }
  return 1;
}

gboolean
pyro_loader_get_counters (guint64 *adds, guint64 *subs)
{
  Counters counters = { 0 };

  pyro_loader_iterate (on_first, &counters);
  *adds = counters.adds;
  *subs = counters.subs;
  return counters.is_known;
}

gboolean
pyro_loader_try_get_counters (guint64 *adds, guint64 *subs)
{
  Counters counters = { 0 };

  if (!try_iterate (on_first, &counters))
    return FALSE;
  *adds = counters.adds;
  *subs = counters.subs;
  return counters.is_known;
}

/* Into ID; returns its size, 0 if the note segment has none. */
static guint
find_build_id (const guint8 *notes, gsize size, guint8 *id)
{
  gsize at = 0;

  while (size - at >= sizeof (ElfW (Nhdr))) {
    ElfW (Nhdr) note;
    gsize name_size, descriptor_size;

    memcpy (&note, notes + at, sizeof note);
    at += sizeof note;
    name_size = ((gsize)note.n_namesz + 3) & ~(gsize)3;
    descriptor_size = ((gsize)note.n_descsz + 3) & ~(gsize)3;
    if (size - at < name_size || size - at - name_size < descriptor_size)
      return 0;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4
        && memcmp (notes + at, "GNU", 4) == 0 && note.n_descsz > 0
        && note.n_descsz <= PYRO_MAX_BUILD_ID) {
      memcpy (id, notes + at + name_size, note.n_descsz);
      return note.n_descsz;
    }
    at += name_size + descriptor_size;
    if (at > size)
      return 0;
  }
  return 0;
}

/* Records are written one after another into memory that was allocated
 * before; what does not fit is only counted. */
typedef struct {
  guint64 bias;
  guint32 n_phdrs;
  guint32 name_size; /* with the zero */
  guint32 build_id_size;
  guint8 build_id[PYRO_MAX_BUILD_ID];
  /* ElfW (Phdr)[n_phdrs], then the name, then padding to 8 */
} Record;

typedef struct {
  guint8 *at;
  gsize left;
  gsize needed;
  guint n_skipped; /* modules that are passed over first */
} Arena;

/* The program headers are the file's own first page, which may have been cut
 * off, too: then the module has none. */
static int
on_module (struct dl_phdr_info *info, size_t info_size, void *data)
{
  Arena *arena = data;
  const char *name = info->dlpi_name != NULL ? info->dlpi_name : "";
  guint n_phdrs = MIN (info->dlpi_phnum, MAX_PHDRS);
  ElfW (Phdr) phdrs[MAX_PHDRS];
  gsize phdrs_size = n_phdrs * sizeof *phdrs;
  Record record
      = { .bias = info->dlpi_addr, .name_size = (guint32)strlen (name) + 1 };
  gsize size = (sizeof record + phdrs_size + record.name_size + 7) & ~(gsize)7;
  guint i;

  if (arena->n_skipped > 0) {
    arena->n_skipped--;
    return 0;
  }
  arena->needed += size;
  if (size > arena->left)
    return 0;
  if (pyro_loader_read_memory ((gsize)info->dlpi_phdr, phdrs_size, phdrs)
      == phdrs_size)
    record.n_phdrs = n_phdrs;
  else
    phdrs_size = 0;
  size = (sizeof record + phdrs_size + record.name_size + 7) & ~(gsize)7;
  for (i = 0; i < record.n_phdrs && record.build_id_size == 0; i++) {
    guint8 notes[MAX_NOTE_BYTES];

    if (phdrs[i].p_type == PT_NOTE)
      record.build_id_size = find_build_id (
          notes,
          pyro_loader_read_memory (info->dlpi_addr + phdrs[i].p_vaddr,
                                   MIN (phdrs[i].p_memsz, sizeof notes), notes),
          record.build_id);
  }
  memcpy (arena->at, &record, sizeof record);
  memcpy (arena->at + sizeof record, phdrs, phdrs_size);
  memcpy (arena->at + sizeof record + phdrs_size, name, record.name_size);
  arena->at += size;
  arena->left -= size;
  return 0;
}

static void
free_module (gpointer data)
{
  PyroLoadedModule *module = data;

  g_free (module->name);
  g_array_unref (module->segments);
  g_free (module);
}

static PyroLoadedModule *
read_record (const guint8 *at, gsize *size)
{
  PyroLoadedModule *module = g_new0 (PyroLoadedModule, 1);
  gsize phdrs_size;
  Record record;
  guint i;

  memcpy (&record, at, sizeof record);
  phdrs_size = record.n_phdrs * sizeof (ElfW (Phdr));
  module->name = g_strdup ((const gchar *)at + sizeof record + phdrs_size);
  module->bias = record.bias;
  module->build_id_size = record.build_id_size;
  memcpy (module->build_id, record.build_id, sizeof record.build_id);
  module->segments = g_array_new (FALSE, FALSE, sizeof (PyroLoadSegment));
  for (i = 0; i < record.n_phdrs; i++) {
    ElfW (Phdr) phdr;

    memcpy (&phdr, at + sizeof record + i * sizeof phdr, sizeof phdr);
    if (phdr.p_type == PT_GNU_EH_FRAME) {
      module->eh_frame_hdr = record.bias + phdr.p_vaddr;
    } else if (phdr.p_type == PT_DYNAMIC) {
      module->dynamic = record.bias + phdr.p_vaddr;
      module->dynamic_size = phdr.p_memsz;
    } else if (phdr.p_type == PT_LOAD) {
      PyroLoadSegment segment = {
        .start = record.bias + phdr.p_vaddr,
        .limit = record.bias + phdr.p_vaddr + phdr.p_memsz,
        .file_offset = phdr.p_offset,
        .is_executable = (phdr.p_flags & PF_X) != 0,
        .is_readable = (phdr.p_flags & PF_R) != 0,
      };

      if (segment.limit > segment.start)
        g_array_append_val (module->segments, segment);
    }
  }
  *size = (sizeof record + phdrs_size + record.name_size + 7) & ~(gsize)7;
  return module;
}

static GPtrArray *
read_records (const guint8 *at, const guint8 *limit)
{
  GPtrArray *modules = g_ptr_array_new_with_free_func (free_module);

  while (at < limit) {
    gsize size;

    g_ptr_array_add (modules, read_record (at, &size));
    at += size;
  }
  return modules;
}

static int
on_counted (struct dl_phdr_info *info, size_t size, void *data)
{
  ++*(guint *)data;
  return 0;
}

/* The loader's list is in the order of loading. One that comes between the two
 * walks makes the list begin later: no harm, if its callers ask for more than
 * they need; the list is refused then. */
GPtrArray *
pyro_loader_try_list_last (guint n)
{
  gsize capacity = (gsize)n * 8192;
  guint8 *memory = g_try_malloc (capacity);
  guint n_before = 0, n_after = 0;
  GPtrArray *modules = NULL;
  Arena arena = { .at = memory, .left = capacity };

  if (memory == NULL)
    return NULL;
  if (try_iterate (on_counted, &n_before)) {
    arena.n_skipped = n_before > n ? n_before - n : 0;
    if (try_iterate (on_module, &arena) && arena.needed <= capacity
        && try_iterate (on_counted, &n_after) && n_before == n_after)
      modules = read_records (memory, arena.at);
  }
  g_free (memory);
  return modules;
}

GPtrArray *
pyro_loader_list (void)
{
  gsize capacity = 64 * 1024;
  GPtrArray *modules;
  guint8 *memory;
  Arena arena = { 0 };

  for (;;) {
    memory = g_malloc (capacity);
    arena.at = memory;
    arena.left = capacity;
    arena.needed = 0;
    pyro_loader_iterate (on_module, &arena);
    if (arena.needed <= capacity)
      break;
    g_free (memory);
    capacity = arena.needed * 2; /* modules may come meanwhile */
  }
  modules = read_records (memory, arena.at);
  g_free (memory);
  return modules;
}

typedef struct {
  const PyroLoadedModule *module;
  guint64 address;
  gsize size;
  guint8 *out;
  gsize copied;
} Copy;

static int
on_copy (struct dl_phdr_info *info, size_t info_size, void *data)
{
  Copy *copy = data;

  if (info->dlpi_addr != copy->module->bias
      || strcmp (info->dlpi_name != NULL ? info->dlpi_name : "",
                 copy->module->name)
             != 0)
    return 0;
  copy->copied = pyro_loader_read_memory (copy->address, copy->size, copy->out);
  return 1;
}

gsize
pyro_loader_copy (const PyroLoadedModule *module, guint64 address, gsize size,
                  guint8 *out)
{
  gsize done = 0;

  while (done < size) {
    Copy copy = { .module = module,
                  .address = address + done,
                  .size = MIN (size - done, COPY_SIZE),
                  .out = out + done };

    pyro_loader_iterate (on_copy, &copy);
    done += copy.copied;
    if (copy.copied < copy.size)
      break;
  }
  return done;
}
