/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "announcement.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static PyroAnnouncement *announced; /* lock-free stack */
static PyroWakeup *waker;

/* What of the thread's stack is certain to be there as long as it runs. The
 * main thread's grows: the memory map tells it better (and the C library would
 * read the map for that, too). */
static void
find_own_stack (PyroAnnouncement *announcement)
{
  int saved_errno = errno;
  pthread_attr_t attributes;
  void *low;
  size_t size;

  if (announcement->stack_high != 0 || announcement->tid == getpid ())
    return;
  if (pthread_getattr_np (pthread_self (), &attributes) == 0) {
    if (pthread_attr_getstack (&attributes, &low, &size) == 0) {
      announcement->stack_low = (guintptr)low;
      announcement->stack_high = (guintptr)low + size;
      /* The thread's control block is at the top. */
      if ((guintptr)pthread_self () - (guintptr)low < size)
        announcement->stack_high = (guintptr)pthread_self ();
    }
    pthread_attr_destroy (&attributes);
  }
  errno = saved_errno;
}

void
pyro_threads_announce (PyroAnnouncement *announcement)
{
  PyroAnnouncement *head;

  if (__atomic_exchange_n (&announcement->queued, 1, __ATOMIC_ACQ_REL))
    return;
  find_own_stack (announcement);
  head = __atomic_load_n (&announced, __ATOMIC_RELAXED);
  do
    announcement->next_queued = head;
  while (!__atomic_compare_exchange_n (&announced, &head, announcement, TRUE,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

void
pyro_announcements_set_waker (PyroWakeup *wakeup)
{
  __atomic_store_n (&waker, wakeup, __ATOMIC_RELEASE);
}

void
pyro_announcements_hurry (void)
{
  PyroWakeup *wakeup = __atomic_load_n (&waker, __ATOMIC_ACQUIRE);

  if (wakeup != NULL)
    pyro_wakeup_hint (wakeup);
}

PyroAnnouncement *
pyro_announcements_take (void)
{
  return __atomic_exchange_n (&announced, NULL, __ATOMIC_ACQUIRE);
}

guint64
pyro_announcement_get_label (const PyroAnnouncement *announcement)
{
  guint64 label = pyro_label_fallback_apply (
      &announcement->fallback,
      __atomic_load_n (announcement->label, __ATOMIC_ACQUIRE));

  return label != 0
             ? label
             : __atomic_load_n (&announcement->last_label, __ATOMIC_RELAXED);
}

guint64
pyro_announcement_get_sole_label (const PyroAnnouncement *announcement)
{
  const PyroSoleLabel *sole = &announcement->sole;

  /* The label is not changed any more once there are others. */
  return __atomic_load_n (&sole->has_others, __ATOMIC_ACQUIRE)
             ? 0
             : __atomic_load_n (&sole->label, __ATOMIC_ACQUIRE);
}
