/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the signal handler that takes one sample of the interrupted thread.
 * Owner: nobody owns it: once installed it stays, as a pass-through, until the
 * process ends, because a signal may come late.
 * Threads: runs on any thread of the process; configured by the collector.
 */
#pragma once

#include <signal.h>

#include "thread-record.h"

/* How stacks are walked from now on; NULL: only the leaf is kept. */
void pyro_handler_set_unwinder (PyroUnwindFunc unwind);

/* The processor tells a thread's control block without a system call. */
void pyro_handler_set_has_thread_pointer (bool has);

/* Signals SIGNO that are not ours go to this disposition. */
void pyro_handler_set_previous (int signo, const struct sigaction *previous);

void pyro_handler (int signo, siginfo_t *info, void *ucontext);
