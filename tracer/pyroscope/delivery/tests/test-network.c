/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcurl's beginning and exit()'s handler at the same time. */

#include <curl/curl.h>
#include <glib.h>

static gint look (const gint *value);
static CURLcode count_init (long flags);

/* What comes between two steps of the tested code. */
#undef g_atomic_int_get
#define g_atomic_int_get(value) look (value)
#define curl_global_init count_init

#include "delivery/network.c"

static gboolean may_close, was_closed;
static guint n_inits;

/* exit() comes right behind it. */
static gint
look (const gint *value)
{
  gint found = __atomic_load_n (value, __ATOMIC_SEQ_CST);

  if (may_close && value == &network.closed) {
    may_close = FALSE;
    was_closed = pyro_network_close (0);
  }
  return found;
}

static CURLcode
count_init (long flags)
{
  n_inits++;
  return CURLE_OK;
}

static void
test_close_while_starting (void)
{
  may_close = TRUE;
  pyro_network_start ();
  g_assert_false (may_close);
  /* The handler has waited for it (in vain here), or nothing was begun. */
  g_assert_true (!was_closed || n_inits == 0);
  g_assert_false (pyro_network_begin (NULL));
  pyro_network_start ();
  g_assert_cmpuint (n_inits, <=, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/network/nothing-begins-behind-the-exit-handlers-back",
                   test_close_while_starting);
  return g_test_run ();
}
