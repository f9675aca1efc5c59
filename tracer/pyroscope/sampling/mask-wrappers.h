/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: functions that stand for those of the C library of the same names, by
 * which a thread could notice that it lets our signal through.
 * Owner: see unblocking.h.
 * Threads: any, in signal handlers as far as the functions may be called there.
 */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

int pyro_wrap_pthread_sigmask (int how, const sigset_t *set, sigset_t *before);
int pyro_wrap_sigprocmask (int how, const sigset_t *set, sigset_t *before);
int pyro_wrap_sigwait (const sigset_t *set, int *signo);
int pyro_wrap_sigwaitinfo (const sigset_t *set, siginfo_t *info);
int pyro_wrap_sigtimedwait (const sigset_t *set, siginfo_t *info,
                            const struct timespec *timeout);
int pyro_wrap_signalfd (int fd, const sigset_t *set, int flags);
pid_t pyro_wrap_fork (void);
int pyro_wrap_posix_spawn (pid_t *pid, const char *path,
                           const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes,
                           char *const argv[], char *const envp[]);
int pyro_wrap_posix_spawnp (pid_t *pid, const char *file,
                            const posix_spawn_file_actions_t *actions,
                            const posix_spawnattr_t *attributes,
                            char *const argv[], char *const envp[]);
int pyro_wrap_system (const char *command);
FILE *pyro_wrap_popen (const char *command, const char *type);
int pyro_wrap_execve (const char *path, char *const argv[], char *const envp[]);
int pyro_wrap_execv (const char *path, char *const argv[]);
int pyro_wrap_execvp (const char *file, char *const argv[]);
