/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/demangle.h"

#include <string.h>

static void
assert_demangled (const gchar *name, const gchar *expected)
{
  g_autofree gchar *demangled = pyro_demangle (name);

  g_assert_cmpstr (demangled, ==, expected);
}

static void
cxx_names_are_written_with_their_parameters (void)
{
  assert_demangled ("_ZN6sample6Widget4drawEi", "sample::Widget::draw(int)");
  assert_demangled ("_ZNSt6vectorIiSaIiEE9push_backERKi",
                    "std::vector<int, std::allocator<int> >::push_back"
                    "(int const&)");
  assert_demangled ("_ZN1AC4Ei", "A::A(int)");
}

static void
rust_names_lose_their_hash (void)
{
  assert_demangled ("_ZN6sample6thread3run17h0123456789abcdefE",
                    "sample::thread::run");
  assert_demangled ("_RNvNtC6sample6thread4join", "sample::thread::join");
  assert_demangled ("_RNvCs1234_7mycrate3foo", "mycrate::foo");
  assert_demangled (
      "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test"
      "$GT$$GT$3bar17h930b740aa94f1d3aE",
      "<Test + 'static as foo::Bar<Test>>::bar");
}

static void
other_names_are_left_alone (void)
{
  assert_demangled ("gst_pad_push", NULL);
  assert_demangled ("", NULL);
  assert_demangled ("_Z", NULL);
  assert_demangled ("_R", NULL);
  assert_demangled ("_Znot_mangled", NULL);
  assert_demangled ("_ZN6samp", NULL);
  assert_demangled ("x_ZN6sample6Widget4drawEi", NULL);
}

/* p<p<…>, p<…>>, each type a reference back to the one before: n parameters
 * of which the last is 2^n long. */
static void
a_name_that_expands_without_bound_is_left_alone (void)
{
  g_autoptr (GString) name = g_string_new ("_Z1f1pI1AS0_E");
  const gchar digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

  for (guint i = 1; i < 34; i++)
    g_string_append_printf (name, "S_IS%c_S%c_E", digits[i], digits[i]);
  assert_demangled ("_Z1f1pI1AS0_ES_IS1_S1_E",
                    "f(p<A, A>, p<p<A, A>, p<A, A> >)");
  assert_demangled (name->str, NULL);
}

static void
deeply_nested_and_cut_names_do_no_harm (void)
{
  static const gchar *const parts[] = { "_Z", "_ZN", "_R", "_RI", "_ZNK" };
  static const gchar *const fills[]
      = { "P", "N", "I", "S_", "T_", "Nv", "INvC1a1b", "L", "X", "DT", "B_" };

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    for (guint j = 0; j < G_N_ELEMENTS (fills); j++) {
      g_autoptr (GString) name = g_string_new (parts[i]);

      while (name->len < 50000)
        g_string_append (name, fills[j]);
      g_free (pyro_demangle (name->str));
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/symbols/demangle/cxx-names-are-written-with-parameters",
                   cxx_names_are_written_with_their_parameters);
  g_test_add_func ("/symbols/demangle/rust-names-lose-their-hash",
                   rust_names_lose_their_hash);
  g_test_add_func ("/symbols/demangle/other-names-are-left-alone",
                   other_names_are_left_alone);
  g_test_add_func (
      "/symbols/demangle/a-name-that-expands-without-bound-is-left-alone",
      a_name_that_expands_without_bound_is_left_alone);
  g_test_add_func ("/symbols/demangle/deeply-nested-and-cut-names-do-no-harm",
                   deeply_nested_and_cut_names_do_no_harm);
  return g_test_run ();
}
