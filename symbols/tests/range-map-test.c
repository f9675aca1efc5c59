/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "symbols/range-map.h"

static void
assert_value (const PyroRangeMap *map, guint64 address, gint value)
{
  const PyroRange *range = pyro_range_map_lookup (map, address);

  g_assert_cmpint (range != NULL ? (gint)range->value : -1, ==, value);
}

static void
an_empty_map_finds_nothing (void)
{
  g_autoptr (PyroRangeMap) map = pyro_range_map_new ();

  pyro_range_map_finish (map, NULL, NULL);
  assert_value (map, 0, -1);
  assert_value (map, G_MAXUINT64, -1);
}

static void
an_address_is_found_in_its_range_only (void)
{
  g_autoptr (PyroRangeMap) map = pyro_range_map_new ();

  pyro_range_map_add (map, 30, 40, 3);
  pyro_range_map_add (map, 10, 20, 1);
  pyro_range_map_add (map, 20, 25, 2);
  pyro_range_map_finish (map, NULL, NULL);
  assert_value (map, 9, -1);
  assert_value (map, 10, 1);
  assert_value (map, 19, 1);
  assert_value (map, 20, 2);
  assert_value (map, 25, -1);
  assert_value (map, 30, 3);
  assert_value (map, 40, -1);
}

static void
the_closest_start_wins_among_nested_ranges (void)
{
  g_autoptr (PyroRangeMap) map = pyro_range_map_new ();

  pyro_range_map_add (map, 0, 100, 1);
  pyro_range_map_add (map, 20, 30, 2);
  pyro_range_map_add (map, 20, 40, 3);
  pyro_range_map_add (map, 50, 52, 4);
  pyro_range_map_finish (map, NULL, NULL);
  assert_value (map, 25, 2);
  assert_value (map, 35, 3);
  assert_value (map, 45, 1);
  assert_value (map, 51, 4);
  assert_value (map, 99, 1);
}

static gint
higher_is_better (guint32 a, guint32 b, gconstpointer user_data)
{
  return a < b ? -1 : a > b;
}

static void
the_best_of_equal_ranges_is_kept (void)
{
  g_autoptr (PyroRangeMap) lowest = pyro_range_map_new ();
  g_autoptr (PyroRangeMap) highest = pyro_range_map_new ();

  for (guint32 value = 5; value < 9; value++) {
    pyro_range_map_add (lowest, 10, 20, value);
    pyro_range_map_add (highest, 10, 20, value);
  }
  pyro_range_map_finish (lowest, NULL, NULL);
  pyro_range_map_finish (highest, higher_is_better, NULL);
  assert_value (lowest, 10, 5);
  assert_value (highest, 10, 8);
  g_assert_cmpuint (pyro_range_map_get_size (lowest), ==, 1);
}

static void
empty_and_reversed_ranges_are_left_out (void)
{
  g_autoptr (PyroRangeMap) map = pyro_range_map_new ();

  pyro_range_map_add (map, 10, 10, 1);
  pyro_range_map_add (map, 20, 10, 2);
  pyro_range_map_finish (map, NULL, NULL);
  g_assert_cmpuint (pyro_range_map_get_size (map), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/symbols/range-map/an-empty-map-finds-nothing",
                   an_empty_map_finds_nothing);
  g_test_add_func ("/symbols/range-map/an-address-is-found-in-its-range-only",
                   an_address_is_found_in_its_range_only);
  g_test_add_func (
      "/symbols/range-map/the-closest-start-wins-among-nested-ranges",
      the_closest_start_wins_among_nested_ranges);
  g_test_add_func ("/symbols/range-map/the-best-of-equal-ranges-is-kept",
                   the_best_of_equal_ranges_is_kept);
  g_test_add_func ("/symbols/range-map/empty-and-reversed-ranges-are-left-out",
                   empty_and_reversed_ranges_are_left_out);
  return g_test_run ();
}
