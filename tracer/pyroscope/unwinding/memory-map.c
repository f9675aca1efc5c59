/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "memory-map.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory-map-layout.h"
#include "own-memory.h"
#include "published.h"

/* vm.max_map_count is 65530 by default, and a line takes about 100 bytes. */
#define MAX_MAPS_BYTES (64u << 20)

/* ORC's regions have 64 KiB. */
#define MAX_REGION_COPY (1u << 20)
#define MAX_COPIES (4u << 20)

struct _PyroMemoryWatch {
  PyroMemoryMap *current; /* owned; also published */
  GPtrArray *retired;     /* of PyroMemoryMap, owned */
  GByteArray *text;       /* the file's text, kept for the next time */
};

/* Of all that were ever published: a thread's cache outlives a watch. Written
 * by the collector's thread. */
static guint32 last_generation;

typedef struct {
  GArray *stacks; /* of PyroStackMapping */
  GArray *codes;  /* of PyroCodeMapping */
  GString *names;
  GByteArray *copies; /* of ORC's code */
  PyroStackMapping main_stack;
  uintptr_t main_floor;
} Builder;

PyroMemoryWatch *
pyro_memory_watch_new (void)
{
  PyroMemoryWatch *watch = g_new0 (PyroMemoryWatch, 1);

  watch->retired = g_ptr_array_new_with_free_func (g_free);
  watch->text = g_byte_array_new ();
  return watch;
}

void
pyro_memory_watch_free (PyroMemoryWatch *watch)
{
  if (watch == NULL)
    return;
  if (watch->current != NULL)
    pyro_publish_memory_map (NULL);
  g_free (watch->current);
  g_ptr_array_unref (watch->retired);
  g_byte_array_unref (watch->text);
  g_free (watch);
}

/* Into watch->text, with a zero at the end. */
static bool
read_maps (PyroMemoryWatch *watch)
{
  char path[64];
  gsize used = 0;
  int fd;

  g_snprintf (path, sizeof path, "/proc/self/task/%ld/maps",
              (long)syscall (SYS_gettid));
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  if (watch->text->len == 0)
    g_byte_array_set_size (watch->text, 64 * 1024);
  for (;;) {
    gssize n;

    if (watch->text->len - used < 8192) {
      if (watch->text->len >= MAX_MAPS_BYTES) {
        close (fd);
        errno = EFBIG;
        return false;
      }
      g_byte_array_set_size (watch->text, watch->text->len * 2);
    }
    n = read (fd, watch->text->data + used, watch->text->len - used - 1);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      int saved = errno;

      close (fd);
      errno = saved;
      return false;
    }
    if (n == 0)
      break;
    used += (gsize)n;
  }
  close (fd);
  watch->text->data[used] = 0;
  return true;
}

static PyroCodeKind
code_kind (const char *path)
{
  const char *base = strrchr (path, '/');

  base = base != NULL ? base + 1 : path;
  if (g_str_has_prefix (base, "orcexec.")
      || g_str_has_prefix (base, "memfd:orcexec"))
    return PYRO_CODE_ORC;
  /* "" and "[anon:name]" (prctl PR_SET_VMA_ANON_NAME) have no file. */
  if (path[0] == 0 || g_str_has_prefix (path, "[anon"))
    return PYRO_CODE_ANONYMOUS;
  return PYRO_CODE_FILE;
}

/* Where the main thread's stack, which ends at TOP, cannot grow any further. */
static uintptr_t
lowest_stack (uintptr_t top)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= top)
    return 0;
  return top - (uintptr_t)limit.rlim_cur;
}

/* Returns PyroCodeMapping's copy. */
static guint32
copy_code (GByteArray *copies, uintptr_t start, uintptr_t limit)
{
  gsize size = limit - start;
  guint at = copies->len;

  if (size > MAX_REGION_COPY || at + size > MAX_COPIES)
    return 0;
  g_byte_array_set_size (copies, (guint)(at + size));
  if (pyro_own_memory_read (start, size, copies->data + at) == size)
    return at + 1;
  g_byte_array_set_size (copies, at);
  return 0;
}

/* One line of proc(5)'s maps: start-limit perms offset dev inode path. */
static void
parse_line (Builder *builder, char *line, uintptr_t *previous_limit)
{
  char *at = line;
  guint64 start, limit, offset;
  const char *perms, *path;
  int field;

  start = g_ascii_strtoull (at, &at, 16);
  if (*at++ != '-')
    return;
  limit = g_ascii_strtoull (at, &at, 16);
  if (*at++ != ' ' || strlen (at) < 5)
    return;
  perms = at;
  at += 4;
  offset = g_ascii_strtoull (at, &at, 16);
  /* dev, inode */
  for (field = 0; field < 2; field++) {
    while (*at == ' ')
      at++;
    while (*at != 0 && *at != ' ')
      at++;
  }
  while (*at == ' ')
    at++;
  path = at;

  if (perms[0] == 'r' && perms[1] == 'w') {
    PyroStackMapping stack = { .start = start, .limit = limit };

    g_array_append_val (builder->stacks, stack);
    /* Of two mappings that touch, the lower one's memory must not be taken
     * for the upper one's growth. */
    if (strcmp (path, "[stack]") == 0) {
      builder->main_stack = stack;
      builder->main_floor = MAX (*previous_limit, lowest_stack (limit));
    }
  }
  if (perms[2] == 'x') {
    PyroCodeMapping code = {
      .start = start,
      .limit = limit,
      .file_offset = offset,
      .name = (uint32_t)builder->names->len,
      .kind = code_kind (path),
    };

    if (code.kind == PYRO_CODE_ORC)
      code.copy = copy_code (builder->copies, start, limit);
    g_string_append_len (builder->names, path, (gssize)strlen (path) + 1);
    g_array_append_val (builder->codes, code);
  }
  *previous_limit = limit;
}

static PyroMemoryMap *
build (PyroMemoryWatch *watch)
{
  Builder builder = {
    .stacks = g_array_new (FALSE, FALSE, sizeof (PyroStackMapping)),
    .codes = g_array_new (FALSE, FALSE, sizeof (PyroCodeMapping)),
    .names = g_string_new (NULL),
    .copies = g_byte_array_new (),
  };
  char *line = (char *)watch->text->data;
  uintptr_t previous_limit = 0;
  gsize stacks_size, codes_size, size;
  PyroMemoryMap *map;
  char *at;

  while (*line != 0) {
    char *end = strchr (line, '\n');

    if (end != NULL)
      *end = 0;
    parse_line (&builder, line, &previous_limit);
    if (end == NULL)
      break;
    line = end + 1;
  }

  stacks_size = builder.stacks->len * sizeof (PyroStackMapping);
  codes_size = builder.codes->len * sizeof (PyroCodeMapping);
  size = sizeof *map + stacks_size + codes_size + builder.names->len
         + builder.copies->len;
  map = g_malloc0 (size);
  map->size = size;
  map->n_stacks = builder.stacks->len;
  map->n_codes = builder.codes->len;
  map->main_stack = builder.main_stack;
  map->main_floor = builder.main_floor;
  at = (char *)(map + 1);
  if (stacks_size > 0)
    memcpy (at, builder.stacks->data, stacks_size);
  map->stacks = (const PyroStackMapping *)at;
  at += stacks_size;
  if (codes_size > 0)
    memcpy (at, builder.codes->data, codes_size);
  map->codes = (const PyroCodeMapping *)at;
  at += codes_size;
  if (builder.names->len > 0)
    memcpy (at, builder.names->str, builder.names->len);
  map->names = at;
  at += builder.names->len;
  if (builder.copies->len > 0)
    memcpy (at, builder.copies->data, builder.copies->len);
  map->copies = (const uint8_t *)at;
  g_byte_array_unref (builder.copies);
  g_array_unref (builder.stacks);
  g_array_unref (builder.codes);
  g_string_free (builder.names, TRUE);
  return map;
}

static bool
same_map (const PyroMemoryMap *a, const PyroMemoryMap *b)
{
  return a->size == b->size && a->n_stacks == b->n_stacks
         && a->n_codes == b->n_codes
         && memcmp (a + 1, b + 1, a->size - sizeof *a) == 0;
}

bool
pyro_memory_watch_refresh (PyroMemoryWatch *watch, bool *published)
{
  PyroMemoryMap *map;

  if (published != NULL)
    *published = false;
  if (!read_maps (watch))
    return false;
  map = build (watch);
  /* A thread always has a stack: an empty file tells that the kernel would not
   * show the maps. */
  if (map->n_stacks == 0) {
    g_free (map);
    errno = ENODATA;
    return false;
  }
  if (watch->current != NULL && same_map (watch->current, map)) {
    g_free (map);
    return true;
  }
  if (++last_generation == 0)
    last_generation = 1;
  map->generation = last_generation;
  pyro_publish_memory_map (map);
  if (watch->current != NULL)
    g_ptr_array_add (watch->retired, watch->current);
  watch->current = map;
  if (published != NULL)
    *published = true;
  return true;
}

void
pyro_memory_watch_reclaim (PyroMemoryWatch *watch,
                           int (*is_quiescent) (void *data), void *data)
{
  if (watch->retired->len > 0 && is_quiescent (data)
      && pyro_readers_are_gone ())
    g_ptr_array_set_size (watch->retired, 0);
}

const char *
pyro_memory_map_code_name (const PyroMemoryMap *map,
                           const PyroCodeMapping *code)
{
  return map->names + code->name;
}
