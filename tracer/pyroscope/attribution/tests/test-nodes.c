/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry of elements, told by the hooks what happens to them. */

#include <malloc.h>

#include "attribution/live-elements.h"
#include "attribution/nodes.h"
#include "witness.h"

static GstElement *
make (const gchar *factory, const gchar *name)
{
  GstElement *element = gst_element_factory_make (factory, name);

  g_assert_nonnull (element);
  return element;
}

static void
add (GstElement *bin, GstElement *element)
{
  g_assert_true (gst_bin_add (GST_BIN (bin), element));
}

static void
link_pads (GstPad *a, GstPad *b)
{
  g_assert_cmpint (gst_pad_link_full (a, b, GST_PAD_LINK_CHECK_NOTHING), ==,
                   GST_PAD_LINK_OK);
}

static const gchar *
path_of_label (guint64 label)
{
  return pyro_path_of_node (pyro_label_word_node (label));
}

static guint32
node_of (GstElement *element)
{
  return pyro_label_word_node (pyro_nodes_resolve_element (element));
}

/* The paths of a pad's own element and of the one on its other side. */
#define assert_pad(pad, own_path, peer_path)                            \
  do {                                                                  \
    PyroPadLabels answer;                                               \
                                                                        \
    pyro_nodes_resolve_pad (pad, &answer);                              \
    g_assert_cmpstr (path_of_label (answer.own), ==, own_path);         \
    g_assert_cmpstr (path_of_label (answer.other_side), ==, peer_path); \
  } while (0)

static const gchar *
path_of (GstElement *element)
{
  return path_of_label (pyro_nodes_resolve_element (element));
}

static GstElement *
make_pipeline (const gchar *name)
{
  return gst_object_ref_sink (gst_pipeline_new (name));
}

static void
test_names (void)
{
  GstElement *pipeline = make_pipeline ("p");
  GstElement *bin = gst_bin_new ("b");
  GstElement *element = make ("identity", "e");
  const PyroNode *node;
  guint32 id;

  add (pipeline, bin);
  add (bin, element);
  id = node_of (element);
  node = pyro_nodes_ref (id);
  g_assert_cmpstr (node->pipeline, ==, "p");
  g_assert_cmpstr (node->path, ==, "p/b/e");
  g_assert_cmpstr (node->element, ==, "e");
  g_assert_cmpstr (node->factory, ==, "identity");
  g_assert_cmpstr (node->library, ==, "libgstcoreelements.so");
  g_assert_true (node->library == pyro_nodes_get_library (id));
  pyro_node_unref (node);

  node = pyro_nodes_ref (node_of (pipeline));
  g_assert_cmpstr (node->pipeline, ==, "p");
  g_assert_cmpstr (node->path, ==, "p");
  pyro_node_unref (node);

  g_assert_null (pyro_nodes_ref (0));
  g_assert_null (pyro_nodes_ref (id + PYRO_MAX_NODES));
  g_assert_null (pyro_nodes_ref (G_MAXUINT32));
  g_assert_cmpstr (pyro_nodes_get_library (G_MAXUINT32), ==, "");
  gst_object_unref (pipeline);
}

static void
test_without_parent (void)
{
  GstElement *element = gst_object_ref_sink (make ("identity", "alone"));
  const PyroNode *node = pyro_nodes_ref (node_of (element));

  g_assert_cmpstr (node->pipeline, ==, "");
  g_assert_cmpstr (node->path, ==, "alone");
  pyro_node_unref (node);
  gst_object_unref (element);
}

static void
test_equal_names (void)
{
  GstElement *pipeline = make_pipeline ("equal");
  GstElement *first = gst_bin_new ("first"), *second = gst_bin_new ("second");
  GstElement *one = make ("identity", "same"), *two = make ("identity", "same");
  GstElement *queue = make ("queue", "same");

  add (pipeline, first);
  add (pipeline, second);
  add (pipeline, queue);
  add (first, one);
  add (second, two);
  g_assert_cmpstr (path_of (one), ==, "equal/first/same");
  g_assert_cmpstr (path_of (two), ==, "equal/second/same");
  g_assert_cmpstr (path_of (queue), ==, "equal/same");
  g_assert_cmpuint (node_of (one), !=, node_of (two));
  gst_object_unref (pipeline);
}

/* The next pipeline of a program that makes one after another is the same
 * node: so profiles and memory stay small. */
static void
test_same_names_again (void)
{
  PyroNodeTableStats first, last;
  guint32 nodes[2];

  for (guint i = 0; i < 100; i++) {
    GstElement *pipeline = make_pipeline ("again");
    GstElement *element = make ("identity", "e");

    add (pipeline, element);
    nodes[i > 0] = node_of (element);
    if (i > 0)
      g_assert_cmpuint (nodes[1], ==, nodes[0]);
    else
      pyro_nodes_get_stats (&first);
    gst_object_unref (pipeline);
  }
  pyro_nodes_get_stats (&last);
  g_assert_cmpuint (last.n, ==, first.n);
}

/* Whatever was known of an address goes with its object. The allocator gives an
 * address away again soon, but not each time. */
static void
test_address_used_again (void)
{
  gconstpointer last = NULL;
  guint again = 0;

  for (guint i = 0; i < 1000; i++) {
    const gchar *name = i % 2 != 0 ? "odd" : "even";
    GstElement *element = gst_object_ref_sink (make ("identity", name));

    again += element == last;
    last = element;
    g_assert_cmpstr (path_of (element), ==, name);
    gst_object_unref (element);
  }
  g_test_message ("an address was used again %u times", again);
  g_assert_cmpuint (again, >, 0);
}

static void
test_moved (void)
{
  GstElement *pipeline = make_pipeline ("moved");
  GstElement *left = gst_bin_new ("left"), *right = gst_bin_new ("right");
  GstElement *element = gst_object_ref_sink (make ("identity", "e"));
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  guint epoch;

  add (pipeline, left);
  add (pipeline, right);
  add (left, element);
  g_assert_cmpstr (path_of (element), ==, "moved/left/e");
  assert_pad (pad, "moved/left/e", "moved/left/e");
  epoch = pyro_pad_epoch (pad);
  g_assert_true (gst_bin_remove (GST_BIN (left), element));
  g_assert_cmpuint (pyro_pad_epoch (pad), !=, epoch);
  gst_object_set_name (GST_OBJECT (element), "renamed");
  add (right, element);
  g_assert_cmpstr (path_of (element), ==, "moved/right/renamed");
  assert_pad (pad, "moved/right/renamed", "moved/right/renamed");

  /* With the bin around it. */
  gst_object_ref (right);
  g_assert_true (gst_bin_remove (GST_BIN (pipeline), right));
  g_assert_cmpstr (path_of (element), ==, "right/renamed");
  assert_pad (pad, "right/renamed", "right/renamed");
  add (left, right);
  gst_object_unref (right);
  g_assert_cmpstr (path_of (element), ==, "moved/left/right/renamed");
  gst_object_unref (element);
  gst_object_unref (pipeline);
}

/* GStreamer says that it is about to remove it, and then that it cannot. */
static void
test_not_removed (void)
{
  GstElement *pipeline = make_pipeline ("stays");
  GstElement *bin = gst_bin_new ("bin"), *other = gst_bin_new ("other");
  GstElement *element = make ("identity", "e");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");

  add (pipeline, bin);
  add (pipeline, other);
  add (bin, element);
  assert_pad (pad, "stays/bin/e", "stays/bin/e");
  g_assert_false (gst_bin_remove (GST_BIN (other), element));
  assert_pad (pad, "stays/bin/e", "stays/bin/e");
  g_assert_cmpstr (path_of (element), ==, "stays/bin/e");
  gst_object_unref (pipeline);
}

static void
test_renamed (void)
{
  GstElement *pipeline = make_pipeline ("before");
  GstElement *element = make ("identity", "e");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  guint epoch;

  add (pipeline, element);
  g_assert_cmpstr (path_of (element), ==, "before/e");
  assert_pad (pad, "before/e", "before/e");
  epoch = pyro_pad_epoch (pad);
  pyro_nodes_resolve_element (pipeline);
  g_assert_cmpuint (pyro_pad_epoch (pad), ==, epoch);

  gst_object_set_name (GST_OBJECT (pipeline), "after");
  pyro_nodes_resolve_element (pipeline);
  g_assert_cmpuint (pyro_pad_epoch (pad), !=, epoch);
  g_assert_cmpstr (path_of (element), ==, "after/e");
  assert_pad (pad, "after/e", "after/e");
  gst_object_unref (pipeline);
}

static void
test_linked (void)
{
  GstElement *pipeline = make_pipeline ("linked");
  GstElement *a = make ("identity", "a"), *b = make ("identity", "b");
  GstElement *c = make ("identity", "c");
  g_autoptr (GstPad) src = gst_element_get_static_pad (a, "src");
  g_autoptr (GstPad) sink_b = gst_element_get_static_pad (b, "sink");
  g_autoptr (GstPad) sink_c = gst_element_get_static_pad (c, "sink");
  PyroPadLabels labels;
  guint epoch;

  add (pipeline, a);
  add (pipeline, b);
  add (pipeline, c);
  /* Nothing on the other side: its own element. */
  assert_pad (src, "linked/a", "linked/a");
  link_pads (src, sink_b);
  assert_pad (src, "linked/a", "linked/b");
  assert_pad (sink_b, "linked/b", "linked/a");
  epoch = pyro_pad_epoch (src);
  g_assert_cmpuint (pyro_nodes_resolve_pad (src, &labels), ==, epoch);
  gst_pad_unlink (src, sink_b);
  g_assert_cmpuint (pyro_pad_epoch (src), !=, epoch);
  link_pads (src, sink_c);
  assert_pad (src, "linked/a", "linked/c");
  assert_pad (sink_b, "linked/b", "linked/b");
  gst_object_unref (pipeline);
}

/* What moves makes stale what is below it and what leads there, and nothing
 * else: others' pipelines do not make all threads look anew. */
static void
test_only_what_is_below_is_stale (void)
{
  GstElement *pipeline = make_pipeline ("calm"),
             *other = make_pipeline ("busy");
  GstElement *a = make ("identity", "a"), *b = make ("identity", "b");
  GstElement *bin = gst_object_ref_sink (gst_bin_new ("bin"));
  GstElement *inside = make ("identity", "inside");
  g_autoptr (GstPad) src = gst_element_get_static_pad (a, "src");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (b, "sink");
  g_autoptr (GstPad) below = gst_element_get_static_pad (inside, "sink");
  guint epochs[3];

  add (pipeline, a);
  add (pipeline, b);
  link_pads (src, sink);
  add (bin, inside);
  assert_pad (src, "calm/a", "calm/b");
  assert_pad (below, "bin/inside", "bin/inside");
  epochs[0] = pyro_pad_epoch (src);
  epochs[1] = pyro_pad_epoch (sink);
  epochs[2] = pyro_pad_epoch (below);
  add (other, bin);
  g_assert_cmpuint (pyro_pad_epoch (below), !=, epochs[2]);
  assert_pad (below, "busy/bin/inside", "busy/bin/inside");
  gst_bin_remove (GST_BIN (other), bin);
  assert_pad (below, "bin/inside", "bin/inside");
  /* Pads whose counters are shared by chance aside: these are not. */
  g_assert_cmpuint (pyro_pad_epoch (src), ==, epochs[0]);
  g_assert_cmpuint (pyro_pad_epoch (sink), ==, epochs[1]);

  gst_object_ref (b);
  gst_bin_remove (GST_BIN (pipeline), b);
  gst_object_unref (b);
  g_assert_cmpuint (pyro_pad_epoch (src), !=, epochs[0]);
  gst_object_unref (pipeline);
  gst_object_unref (other);
  gst_object_unref (bin);
}

static GstElement *
make_bin (const gchar *name, GstElement *inside, GstPad **ghost)
{
  GstElement *bin = gst_bin_new (name);
  g_autoptr (GstPad) target = gst_element_get_static_pad (inside, "sink");

  add (bin, inside);
  *ghost = gst_ghost_pad_new ("sink", target);
  gst_element_add_pad (bin, *ghost);
  return bin;
}

static void
test_ghost_pads (void)
{
  GstElement *pipeline = make_pipeline ("ghosts");
  GstElement *source = make ("identity", "source");
  GstElement *inner = make ("identity", "inner");
  GstElement *other = make ("identity", "other");
  GstPad *ghost, *outer_ghost;
  GstElement *bin = make_bin ("bin", inner, &ghost);
  GstElement *outer = make_bin ("outer", bin, &outer_ghost);
  g_autoptr (GstPad) src = gst_element_get_static_pad (source, "src");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (inner, "sink");
  g_autoptr (GstPad) other_sink = gst_element_get_static_pad (other, "sink");
  g_autoptr (GstProxyPad) proxy
      = gst_proxy_pad_get_internal (GST_PROXY_PAD (ghost));

  add (pipeline, source);
  add (pipeline, outer);
  add (bin, other);
  link_pads (src, outer_ghost);
  /* Seen through both bins, and from inside. */
  assert_pad (src, "ghosts/source", "ghosts/outer/bin/inner");
  assert_pad (sink, "ghosts/outer/bin/inner", "ghosts/source");
  assert_pad (ghost, "ghosts/outer/bin", "ghosts/source");
  assert_pad (outer_ghost, "ghosts/outer", "ghosts/source");
  /* The proxy behind it is the bin's, and looks inwards. */
  assert_pad (GST_PAD (proxy), "ghosts/outer/bin", "ghosts/outer/bin/inner");

  g_assert_true (gst_ghost_pad_set_target (GST_GHOST_PAD (ghost), other_sink));
  assert_pad (src, "ghosts/source", "ghosts/outer/bin/other");
  assert_pad (sink, "ghosts/outer/bin/inner", "ghosts/outer/bin/inner");

  /* Without a target the bin is the last that is known. */
  g_assert_true (gst_ghost_pad_set_target (GST_GHOST_PAD (ghost), NULL));
  assert_pad (src, "ghosts/source", "ghosts/outer/bin");
  gst_object_unref (pipeline);
}

static void
test_parentless_pads (void)
{
  GstElement *element = gst_object_ref_sink (make ("identity", "e"));
  g_autoptr (GstPad) sink = gst_element_get_static_pad (element, "sink");
  GstPad *pad = gst_object_ref_sink (gst_pad_new ("extra", GST_PAD_SRC));

  assert_pad (pad, NULL, NULL);
  link_pads (pad, sink);
  /* No hook has been given the element since it has a name. */
  assert_pad (pad, NULL, NULL);
  gst_element_set_state (element, GST_STATE_READY);
  assert_pad (pad, NULL, "e");
  assert_pad (sink, "e", "e");
  gst_pad_unlink (pad, sink);
  /* It gets a parent. */
  gst_element_add_pad (element, gst_object_ref (pad));
  assert_pad (pad, "e", "e");
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
  gst_object_unref (pad);
}

/* That a pad hangs on nothing is an answer that is kept, too: the next pad at
 * its address may not have it. */
static void
test_freed_pads (void)
{
  GstPad *pad = gst_object_ref_sink (gst_pad_new ("orphan", GST_PAD_SRC));
  gconstpointer address = pad;
  PyroPadLabels labels;
  guint epoch;

  pyro_nodes_resolve_pad (pad, &labels);
  epoch = pyro_nodes_resolve_pad (pad, &labels);
  g_assert_cmpuint (epoch, ==, pyro_pad_epoch (pad));
  gst_object_unref (pad);
  g_assert_cmpuint (epoch, !=, pyro_pad_epoch (address));
}

static void
test_answers_that_are_kept (void)
{
  GstElement *element = gst_object_ref_sink (make ("identity", "kept"));
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  PyroPadLabels labels;
  guint epoch;

  /* Its element has no name yet. */
  g_assert_cmpuint (pyro_nodes_resolve_pad (pad, &labels), ==, 0);
  pyro_nodes_resolve_element (element);
  epoch = pyro_nodes_resolve_pad (pad, &labels);
  g_assert_cmpuint (epoch, ==, pyro_pad_epoch (pad));
  g_assert_cmpuint (epoch, !=, 0);
  gst_element_remove_pad (element, pad);
  g_assert_cmpuint (epoch, !=, pyro_pad_epoch (pad));
  gst_object_unref (element);
}

/* bounds */

#define N_PIPELINES 12000

static gboolean
count (const PyroLiveElement *element, gpointer data)
{
  ++*(guint *)data;
  return TRUE;
}

typedef struct {
  PyroNodeTableStats nodes;
  guint live;
  gsize memory;
} Size;

static Size
get_size (void)
{
  Size size = { 0 };

  pyro_nodes_get_stats (&size.nodes);
  pyro_live_elements_foreach (count, &size.live);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  size.memory = mallinfo2 ().uordblks;
#endif
  return size;
}

/* An application that runs for long: its pipelines have the names that
 * GStreamer generates. */
static void
test_thousands_of_pipelines (void)
{
  guint64 interval = pyro_nodes_begin_interval ();
  Size before = get_size (), middle = { 0 }, after;

  for (guint i = 0; i < N_PIPELINES; i++) {
    GstElement *pipeline = make_pipeline (NULL);
    GstElement *one = make ("identity", NULL), *two = make ("identity", NULL);
    g_autoptr (GstPad) src = gst_element_get_static_pad (one, "src");
    g_autoptr (GstPad) sink = gst_element_get_static_pad (two, "sink");
    g_autofree gchar *path = NULL;
    g_autofree gchar *other = NULL;

    add (pipeline, one);
    add (pipeline, two);
    link_pads (src, sink);
    path = g_strdup_printf ("%s/%s", GST_OBJECT_NAME (pipeline),
                            GST_OBJECT_NAME (one));
    other = g_strdup_printf ("%s/%s", GST_OBJECT_NAME (pipeline),
                             GST_OBJECT_NAME (two));
    assert_pad (src, path, other);
    assert_pad (sink, other, path);
    gst_object_unref (pipeline);
    /* Ids from long ago are unknown, and nobody else's. */
    if (i % 100 == 0) {
      guint64 next = pyro_nodes_begin_interval ();

      pyro_nodes_end_interval (interval);
      interval = next;
    }
    if (i == N_PIPELINES * 3 / 4)
      middle = get_size ();
  }
  after = get_size ();
  pyro_nodes_end_interval (interval);
  g_test_message ("nodes %u, %u, live %u, %u; memory %" G_GSIZE_FORMAT
                  ", %" G_GSIZE_FORMAT,
                  middle.nodes.n, after.nodes.n, middle.live, after.live,
                  middle.memory, after.memory);
  g_assert_cmpuint (after.nodes.n, <=, PYRO_MAX_NUMBERED_NODES);
  g_assert_cmpuint (after.nodes.n_in_use, ==, before.nodes.n_in_use);
  g_assert_cmpuint (after.nodes.replaced, >, before.nodes.replaced);
  g_assert_cmpuint (after.nodes.numberless, ==, before.nodes.numberless);
  g_assert_cmpuint (after.live, ==, before.live);
  g_assert_cmpuint (after.memory, <,
                    middle.memory + middle.memory / 50 + 256 * 1024);
}

/* More elements at once than there are places for names with numbers. */
static void
test_many_live_elements (void)
{
  const guint n = PYRO_MAX_NUMBERED_NODES + 2000;
  g_autofree GstElement **elements = g_new (GstElement *, n);
  GstElement *pipeline = make_pipeline ("full");
  guint n_short = 0, epoch;
  g_autoptr (GstPad) pad = NULL;

  for (guint i = 0; i < n; i++) {
    g_autofree gchar *name = g_strdup_printf ("live%u", i);
    const gchar *path;

    elements[i] = gst_object_ref_sink (make ("identity", name));
    path = path_of (elements[i]);
    if (!g_str_equal (path, name)) {
      g_assert_cmpstr (path, ==, "live");
      n_short++;
    }
  }
  g_assert_cmpuint (n_short, >=, 1000);
  g_assert_cmpuint (n_short, <=, 2100);

  /* A name that has lost its number was not changed by anybody. */
  pad = gst_element_get_static_pad (elements[n - 1], "sink");
  epoch = pyro_pad_epoch (pad);
  for (guint i = 0; i < n; i++)
    pyro_nodes_resolve_element (elements[i]);
  g_assert_cmpuint (pyro_pad_epoch (pad), ==, epoch);

  for (guint i = 0; i < n; i++)
    gst_object_unref (elements[i]);
  /* With the elements their places are free. */
  add (pipeline, make ("identity", "new7"));
  {
    g_autoptr (GstElement) element
        = gst_bin_get_by_name (GST_BIN (pipeline), "new7");

    g_assert_cmpstr (path_of (element), ==, "full/new7");
  }
  gst_object_unref (pipeline);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  pyro_witness_start_hooks ();
#define ADD(name, func) g_test_add_func ("/nodes/" name, func)
  ADD ("a-node-has-its-elements-names", test_names);
  ADD ("an-element-without-parent-has-no-pipeline", test_without_parent);
  ADD ("equal-names-in-two-bins-are-two", test_equal_names);
  ADD ("equal-paths-are-one-however-often-they-come", test_same_names_again);
  ADD ("an-address-that-is-used-again-is-another", test_address_used_again);
  ADD ("moved-elements-have-their-new-place", test_moved);
  ADD ("what-is-not-removed-stays-where-it-is", test_not_removed);
  ADD ("renamed-pipelines-have-their-new-name", test_renamed);
  ADD ("a-pads-other-side-follows-its-links", test_linked);
  ADD ("only-what-is-below-is-stale", test_only_what_is_below_is_stale);
  ADD ("ghost-pads-are-looked-through", test_ghost_pads);
  ADD ("pads-without-a-parent-have-no-element", test_parentless_pads);
  ADD ("answers-go-with-their-pad", test_freed_pads);
  ADD ("answers-are-kept-for-one-epoch", test_answers_that_are_kept);
  ADD ("thousands-of-pipelines-leave-nothing-behind",
       test_thousands_of_pipelines);
  ADD ("more-live-elements-than-places", test_many_live_elements);
#undef ADD
  return g_test_run ();
}
