/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the keys of the "key=value" comments that a capture carries.
 * Owner: constants.
 * Threads: constants.
 *
 * A pprof profile has no place for the labels of its series or for the
 * sampler's own counters; comments are free text that every tool keeps.
 */
#pragma once

/* The labels of the series: "series.service_name=camera",
 * "series.__name__=process_cpu". */
#define PYRO_COMMENT_SERIES "series."
#define PYRO_COMMENT_SERIES_NAME PYRO_COMMENT_SERIES "__name__"

/* Counters of the interval, decimal. They add up when profiles are merged.
 * What is absent was not counted. */
#define PYRO_COMMENT_STATS "stats."
/* samples taken, before those with equal stack and labels became one */
#define PYRO_COMMENT_SAMPLES PYRO_COMMENT_STATS "samples"
/* samples lost because a ring was full */
#define PYRO_COMMENT_DROPPED PYRO_COMMENT_STATS "dropped"
/* timer expirations that were delivered together with a later one; their
 * weight is in the values */
#define PYRO_COMMENT_OVERRUNS PYRO_COMMENT_STATS "overruns"
/* samples whose stack reaches the thread's start */
#define PYRO_COMMENT_COMPLETE PYRO_COMMENT_STATS "complete"
/* samples whose stack ends before it, and of these by reason:
 * "stats.truncated.no-unwind-info=3" */
#define PYRO_COMMENT_TRUNCATED PYRO_COMMENT_STATS "truncated"
#define PYRO_COMMENT_TRUNCATED_REASON PYRO_COMMENT_TRUNCATED "."
/* samples whose first step needed the leaf rescue */
#define PYRO_COMMENT_RESCUED PYRO_COMMENT_STATS "rescued"
/* nanoseconds that a CPU clock jumped by, more than had passed: left out */
#define PYRO_COMMENT_IMPOSSIBLE PYRO_COMMENT_STATS "impossible-ns"
/* sets of labels that lost the numbers of generated names, or all names,
 * because there were more than max-label-sets */
#define PYRO_COMMENT_SETS_NUMBERLESS PYRO_COMMENT_STATS "label-sets.numberless"
#define PYRO_COMMENT_SETS_OTHERS PYRO_COMMENT_STATS "label-sets.others"
/* how often an element lost them because the process had too many at once */
#define PYRO_COMMENT_ELEMENTS_NUMBERLESS \
  PYRO_COMMENT_STATS "elements.numberless"
#define PYRO_COMMENT_ELEMENTS_NAMELESS PYRO_COMMENT_STATS "elements.nameless"
/* names (of elements, threads, functions, files) that were cut because a server
 * takes no longer ones */
#define PYRO_COMMENT_NAMES_CUT PYRO_COMMENT_STATS "names.cut"
/* What became of profiles since the one before this one was made, each for its
 * own count: "stats.delivery.sent=1", "…lost=2". */
#define PYRO_COMMENT_DELIVERY PYRO_COMMENT_STATS "delivery."

/* locations (distinct addresses) whose names were not looked for, because the
 * time for that was over when the profiler stopped */
#define PYRO_COMMENT_NAMES_POSTPONED PYRO_COMMENT_STATS "names.postponed"

/* How the samples were taken. */
#define PYRO_COMMENT_SAMPLER "sampler."
/* Hz */
#define PYRO_COMMENT_RATE PYRO_COMMENT_SAMPLER "rate"
/* "tables", "libunwind", "frame-pointers" */
#define PYRO_COMMENT_UNWINDER PYRO_COMMENT_SAMPLER "unwinder"
/* the signal's number or name, "none" for the wall-clock reader */
#define PYRO_COMMENT_SIGNAL PYRO_COMMENT_SAMPLER "signal"

/* Libraries of whose functions some have no symbol, but a name that statements
 * in their code give: "names.debug-statements=libgstbase-1.0.so.0 BUILD-ID".
 * Such a function's system_name is its place, "libgstbase-1.0.so.0!0x46480". */
#define PYRO_COMMENT_NAMES "names."
#define PYRO_COMMENT_NAMES_STATEMENTS PYRO_COMMENT_NAMES "debug-statements"
