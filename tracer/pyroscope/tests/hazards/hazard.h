/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: small applications that are unusual but legal, and what they share.
 * Owner: each case runs in a process of its own; run-hazards.py starts them
 * without the tracer and with it, and compares.
 * Threads: the main thread, unless said otherwise.
 */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

/* Returns where the case is over; the process then exits with 0. */
typedef void (*HazardFunc) (void);

typedef struct {
  const char *name;
  HazardFunc run;
  /* Runs before gst_init(). */
  HazardFunc before;
} Hazard;

/* One array for each file, ended by a NULL name. */
extern const Hazard signal_hazards[];
extern const Hazard thread_hazards[];
extern const Hazard stack_hazards[];
extern const Hazard memory_hazards[];
extern const Hazard limit_hazards[];
extern const Hazard process_hazards[];
extern const Hazard module_hazards[];
extern const Hazard end_hazards[];
extern const Hazard call_hazards[];
extern const Hazard scheduling_hazards[];
extern const Hazard mask_hazards[];

/* Whether this process began with all signals blocked. */
int hazard_has_full_mask (void);

/* How long a case goes on, and where its files go. */
extern double hazard_seconds;
extern const char *hazard_directory;
extern const char *hazard_program;

/* A pipeline that keeps one thread busy. */
void load_start (void);
/* An element that plays, though nothing flows: the profiler runs. */
void load_start_without_threads (void);
void load_stop (void);

/* FALSE once hazard_seconds have passed since the first call. */
bool time_is_left (void);

/* CPU time of the calling thread. */
void burn_ms (unsigned ms);

/* Loops without a call, a stack protector or TLS; about 1 ns a round. */
void spin (unsigned long rounds);

/* The case went wrong. */
#define REQUIRE(condition)                          \
  do {                                              \
    if (!(condition))                               \
      hazard_fail (__FILE__, __LINE__, #condition); \
  } while (0)
void hazard_fail (const char *file, int line, const char *condition);

/* The machine does not allow the case. */
void hazard_skip (const char *why) __attribute__ ((noreturn));
