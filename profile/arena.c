/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Chunks start small, so that a small profile stays small, and double. */
#define MIN_CHUNK 4096u
#define MAX_CHUNK (1024u * 1024u)

typedef struct _Chunk Chunk;
struct _Chunk {
  Chunk *next;
  _Alignas(max_align_t) guint8 data[];
};

struct _PyroArena {
  Chunk *chunks; /* all, for the end */
  guint8 *at;    /* free space of the newest ordinary chunk */
  gsize left;
  gsize next_size;
  gsize budget;
  gsize taken;
  gboolean exhausted;
};

PyroArena *
pyro_arena_new (gsize budget)
{
  PyroArena *arena = g_new0 (PyroArena, 1);

  arena->budget = budget;
  arena->next_size = MIN_CHUNK;
  return arena;
}

void
pyro_arena_free (PyroArena *arena)
{
  Chunk *chunk, *next;

  if (arena == NULL)
    return;
  for (chunk = arena->chunks; chunk != NULL; chunk = next) {
    next = chunk->next;
    g_free (chunk);
  }
  g_free (arena);
}

static Chunk *
take_chunk (PyroArena *arena, gsize size)
{
  Chunk *chunk;

  if (size > SIZE_MAX - sizeof (Chunk))
    return NULL;
  if (arena->budget == 0) {
    chunk = g_malloc (sizeof (Chunk) + size);
  } else {
    if (size + sizeof (Chunk) > arena->budget - arena->taken)
      return NULL;
    chunk = g_try_malloc (sizeof (Chunk) + size);
    if (chunk == NULL)
      return NULL;
  }
  arena->taken += sizeof (Chunk) + size;
  chunk->next = arena->chunks;
  arena->chunks = chunk;
  return chunk;
}

gpointer
pyro_arena_alloc (PyroArena *arena, gsize size)
{
  const gsize align = _Alignof(max_align_t);
  Chunk *chunk;
  gpointer memory;

  if (size > SIZE_MAX - align) {
    arena->exhausted = TRUE;
    return NULL;
  }
  /* Never 0, so that each allocation has an address of its own. */
  size = size == 0 ? align : (size + align - 1) / align * align;

  if (size > arena->left) {
    /* What would waste much of a chunk gets one of its own. */
    gboolean own = size > arena->next_size / 4;

    chunk = take_chunk (arena, own ? size : arena->next_size);
    if (chunk == NULL) {
      arena->exhausted = TRUE;
      return NULL;
    }
    if (own)
      return chunk->data;
    arena->at = chunk->data;
    arena->left = arena->next_size;
    arena->next_size = MIN (arena->next_size * 2, MAX_CHUNK);
  }
  memory = arena->at;
  arena->at += size;
  arena->left -= size;
  return memory;
}

gpointer
pyro_arena_alloc_n (PyroArena *arena, gsize n, gsize size)
{
  gpointer memory;

  if (size != 0 && n > SIZE_MAX / size) {
    arena->exhausted = TRUE;
    return NULL;
  }
  memory = pyro_arena_alloc (arena, n * size);
  if (memory != NULL)
    memset (memory, 0, n * size);
  return memory;
}

gsize
pyro_arena_get_size (const PyroArena *arena)
{
  return arena->taken;
}

gboolean
pyro_arena_is_exhausted (const PyroArena *arena)
{
  return arena->exhausted;
}
