/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "signal-imports.h"

#include <signal.h>
#include <unistd.h>

#include "attribution/interposition.h"
#include "sampling/mask-wrappers.h"
#include "sampling/signal-taking.h"

static const PyroImport imports[] = {
#define IMPORT(function, original, wrapper)                    \
  {                                                            \
#function, (gpointer)(original), (gpointer)(wrapper), NULL \
  }
  IMPORT (sigaction, sigaction, pyro_signal_wrap_sigaction),
  IMPORT (signal, signal, pyro_signal_wrap_signal),
  IMPORT (bsd_signal, signal, pyro_signal_wrap_signal),
  IMPORT (sysv_signal, sysv_signal, pyro_signal_wrap_sysv_signal),
  IMPORT (__sysv_signal, sysv_signal, pyro_signal_wrap_sysv_signal),
#undef IMPORT
#define IMPORT(function)                                                \
  {                                                                     \
#function, (gpointer)function, (gpointer)pyro_wrap_##function, NULL \
  }
  IMPORT (pthread_sigmask),
  IMPORT (sigprocmask),
  IMPORT (sigwait),
  IMPORT (sigwaitinfo),
  IMPORT (sigtimedwait),
  IMPORT (signalfd),
  IMPORT (fork),
  IMPORT (posix_spawn),
  IMPORT (posix_spawnp),
  IMPORT (system),
  IMPORT (popen),
  IMPORT (execve),
  IMPORT (execv),
  IMPORT (execvp),
#undef IMPORT
};

void
pyro_signal_imports_add (void)
{
  pyro_interposition_add (imports, G_N_ELEMENTS (imports));
}
