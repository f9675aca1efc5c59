/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: the word that says what a thread executes: which node, and how that is
 * known. The signal handler copies it into each sample.
 * Owner: plain data.
 * Threads: made by the thread itself, read by its handler and the collector.
 */
#pragma once

#include <stdint.h>

/* The values of the label "attribution". */
typedef enum {
  PYRO_ATTRIBUTION_NONE = 0,  /* no element is known */
  PYRO_ATTRIBUTION_EXACT,     /* a hook of GStreamer says so */
  PYRO_ATTRIBUTION_INHERITED, /* the element that made the thread */
  PYRO_ATTRIBUTION_LIBRARY,   /* the only element that uses the library */
  PYRO_ATTRIBUTION_UNSAMPLED, /* CPU time that no sample saw */
  PYRO_ATTRIBUTION_SHARED,    /* no element: the thread works for several */
} PyroAttribution;

/* Whoever made the word could not wait for the registry of nodes: it has the
 * number of a question instead of a node (pyro_nodes_settle()). */
#define PYRO_LABEL_QUESTION (UINT64_C (1) << 40)
#define PYRO_LABEL_OTHER_SIDE (UINT64_C (1) << 41) /* what is asked for */

/* A thread that works for several elements, and nothing tells which. */
#define PYRO_LABEL_SHARED ((uint64_t)PYRO_ATTRIBUTION_SHARED << 32)

/* Of an inherited word: the team (teams.h) that the thread is of; 0: none. As
 * soon as other elements use the team, the thread is shared
 * (pyro_late_owners_settle()). */
#define PYRO_LABEL_TEAM_SHIFT 48
#define PYRO_LABEL_TEAM_BITS 8

/* Node 0 is "no element". */
static inline uint64_t
pyro_label_word (uint32_t node, PyroAttribution attribution)
{
  return node == 0 ? 0 : (uint64_t)attribution << 32 | node;
}

/* 0 also for a question. */
static inline uint32_t
pyro_label_word_node (uint64_t word)
{
  return word & PYRO_LABEL_QUESTION ? 0 : (uint32_t)word;
}

/* For CPU time that no sample saw, of a thread that had no other element than
 * WORD's; the node may be 0. */
static inline uint64_t
pyro_label_word_unsampled (uint64_t word)
{
  return (uint64_t)PYRO_ATTRIBUTION_UNSAMPLED << 32
         | pyro_label_word_node (word);
}

static inline uint32_t
pyro_label_word_team (uint64_t word)
{
  return word >> PYRO_LABEL_TEAM_SHIFT & ((1u << PYRO_LABEL_TEAM_BITS) - 1);
}

static inline uint64_t
pyro_label_word_set_team (uint64_t word, uint32_t team)
{
  word &= ~(((UINT64_C (1) << PYRO_LABEL_TEAM_BITS) - 1)
            << PYRO_LABEL_TEAM_SHIFT);
  return word == 0 ? 0 : word | (uint64_t)team << PYRO_LABEL_TEAM_SHIFT;
}

static inline PyroAttribution
pyro_label_word_attribution (uint64_t word)
{
  return (PyroAttribution)(word >> 32 & 0xff);
}
