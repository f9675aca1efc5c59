/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define GST_USE_UNSTABLE_API
#include "witness.h"

#include "attribution/hooks.h"
#include "attribution/node-stack.h"
#include "log.h"

#define BLOCK 16

/* a tracer that has nothing but the hooks */

typedef GstTracer PyroWitnessTracer;
typedef GstTracerClass PyroWitnessTracerClass;

static GType pyro_witness_tracer_get_type (void);
G_DEFINE_TYPE (PyroWitnessTracer, pyro_witness_tracer, GST_TYPE_TRACER)

static guint pauses;

static void
pyro_witness_tracer_class_init (PyroWitnessTracerClass *klass)
{
}

static void
pyro_witness_tracer_init (PyroWitnessTracer *self)
{
}

static void
on_sign_of_life (void)
{
}

static void
on_pause_in_work (void)
{
  __atomic_add_fetch (&pauses, 1, __ATOMIC_RELAXED);
}

void
pyro_witness_start_hooks (void)
{
  static const PyroHookCallbacks callbacks
      = { on_sign_of_life, on_pause_in_work };

  pyro_log_init ();
  pyro_hooks_register (g_object_new (pyro_witness_tracer_get_type (), NULL),
                       &callbacks);
  pyro_hooks_start (FALSE);
}

guint
pyro_witness_get_pauses (void)
{
  return __atomic_load_n (&pauses, __ATOMIC_RELAXED);
}

/* looking */

const gchar *
pyro_path_of_node (guint32 id)
{
  const PyroNode *node = pyro_nodes_ref (id);
  const gchar *path;

  if (node == NULL)
    return NULL;
  path = g_intern_string (node->path);
  pyro_node_unref (node);
  return path;
}

void
pyro_assert_executing_at (const gchar *file, gint line, const gchar *path)
{
  const PyroNodeStack *stack = pyro_own_node_stack;
  guint64 label = pyro_nodes_settle (stack != NULL ? stack->label : 0);
  const gchar *said = pyro_path_of_node (pyro_label_word_node (label));

  if (g_strcmp0 (said, path) != 0)
    g_error ("%s:%d: the thread is said to execute %s, but it executes %s",
             file, line, said != NULL ? said : "no element",
             path != NULL ? path : "no element");
  if (path != NULL)
    g_assert_cmpint (pyro_label_word_attribution (label), ==,
                     PYRO_ATTRIBUTION_EXACT);
}

static gchar *
get_path (GstElement *element)
{
  gchar *path = gst_object_get_name (GST_OBJECT (element));
  GstObject *parent = gst_object_get_parent (GST_OBJECT (element));

  while (parent != NULL) {
    g_autofree gchar *name = gst_object_get_name (parent);
    g_autofree gchar *below = path;
    GstObject *next = gst_object_get_parent (parent);

    path = g_strconcat (name, "/", below, NULL);
    gst_object_unref (parent);
    parent = next;
  }
  return path;
}

/* the element */

typedef struct {
  GstElement parent;
  PyroWitnessKind kind;
  GstPad *sink, *src;
  guint buffers, sent;
  PyroWitnessFunc func;
  gpointer data;
  guint seen[PYRO_WITNESS_N_WORKS];
} PyroWitness;

typedef GstElementClass PyroWitnessClass;

static GType pyro_witness_get_type (void);
G_DEFINE_TYPE (PyroWitness, pyro_witness, GST_TYPE_ELEMENT)

static void
look (PyroWitness *self)
{
  g_autofree gchar *path = get_path (GST_ELEMENT (self));

  pyro_assert_executing (path);
}

static void
work (PyroWitness *self, PyroWitnessWork kind)
{
  look (self);
  if (self->func != NULL) {
    self->func (GST_ELEMENT (self), kind, self->data);
    look (self);
  }
  __atomic_add_fetch (&self->seen[kind], 1, __ATOMIC_RELAXED);
}

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  PyroWitness *self = (PyroWitness *)parent;
  GstFlowReturn flow = GST_FLOW_OK;

  work (self, PYRO_WITNESS_CHAIN);
  if (self->src != NULL)
    flow = gst_pad_push (self->src, buffer);
  else
    gst_buffer_unref (buffer);
  look (self);
  return flow;
}

static GstFlowReturn
chain_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  PyroWitness *self = (PyroWitness *)parent;
  GstFlowReturn flow = GST_FLOW_OK;

  work (self, PYRO_WITNESS_CHAIN_LIST);
  if (self->src != NULL)
    flow = gst_pad_push_list (self->src, list);
  else
    gst_buffer_list_unref (list);
  look (self);
  return flow;
}

static GstFlowReturn
get_range (GstPad *pad, GstObject *parent, guint64 offset, guint size,
           GstBuffer **buffer)
{
  PyroWitness *self = (PyroWitness *)parent;
  GstFlowReturn flow = GST_FLOW_OK;

  work (self, PYRO_WITNESS_GET_RANGE);
  if (self->sink != NULL)
    flow = gst_pad_pull_range (self->sink, offset, size, buffer);
  else
    *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  look (self);
  return flow;
}

static gboolean
event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  PyroWitness *self = (PyroWitness *)parent;
  gboolean is_end = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
  gboolean done;

  /* gst_pad_link() sends it without a hook (before GStreamer 1.26). */
  if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE)
    return gst_pad_event_default (pad, parent, event);
  work (self, PYRO_WITNESS_EVENT);
  done = gst_pad_event_default (pad, parent, event);
  look (self);
  if (is_end && self->src == NULL) {
    gst_element_post_message (GST_ELEMENT (self),
                              gst_message_new_eos (GST_OBJECT (self)));
    look (self);
  }
  return done;
}

static gboolean
query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  PyroWitness *self = (PyroWitness *)parent;
  gboolean done;

  work (self, PYRO_WITNESS_QUERY);
  done = gst_pad_query_default (pad, parent, query);
  look (self);
  return done;
}

static void
source_loop (gpointer data)
{
  PyroWitness *self = data;
  GstFlowReturn flow;

  work (self, PYRO_WITNESS_TASK);
  if (self->sent == 0) {
    GstSegment segment;

    gst_segment_init (&segment, GST_FORMAT_BYTES);
    gst_pad_push_event (self->src, gst_event_new_stream_start ("witness"));
    gst_pad_push_event (self->src, gst_event_new_segment (&segment));
    look (self);
  }
  if (self->sent == self->buffers) {
    gst_pad_push_event (self->src, gst_event_new_eos ());
    look (self);
    gst_pad_pause_task (self->src);
    return;
  }
  if (self->sent++ % 2 != 0) {
    GstBufferList *list = gst_buffer_list_new ();

    gst_buffer_list_add (list, gst_buffer_new ());
    flow = gst_pad_push_list (self->src, list);
  } else {
    flow = gst_pad_push (self->src, gst_buffer_new ());
  }
  look (self);
  if (flow != GST_FLOW_OK)
    gst_pad_pause_task (self->src);
}

static void
pull_loop (gpointer data)
{
  PyroWitness *self = data;
  GstBuffer *buffer = NULL;

  work (self, PYRO_WITNESS_TASK);
  if (self->sent++ < self->buffers) {
    GstFlowReturn flow = gst_pad_pull_range (
        self->sink, (guint64)self->sent * BLOCK, BLOCK, &buffer);

    look (self);
    if (flow == GST_FLOW_OK) {
      gst_buffer_unref (buffer);
      return;
    }
  }
  gst_element_post_message (GST_ELEMENT (self),
                            gst_message_new_eos (GST_OBJECT (self)));
  look (self);
  gst_pad_pause_task (self->sink);
}

static gboolean
activate (GstPad *pad, GstObject *parent)
{
  return gst_pad_activate_mode (
      pad,
      ((PyroWitness *)parent)->kind == PYRO_WITNESS_PULLER ? GST_PAD_MODE_PULL
                                                           : GST_PAD_MODE_PUSH,
      TRUE);
}

static gboolean
activate_mode (GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  PyroWitness *self = (PyroWitness *)parent;

  if (mode == GST_PAD_MODE_PUSH && self->kind == PYRO_WITNESS_SOURCE
      && pad == self->src)
    return active ? gst_pad_start_task (pad, source_loop, self, NULL)
                  : gst_pad_stop_task (pad);
  if (mode == GST_PAD_MODE_PULL && self->kind == PYRO_WITNESS_PULLER)
    return active ? gst_pad_start_task (pad, pull_loop, self, NULL)
                  : gst_pad_stop_task (pad);
  if (mode == GST_PAD_MODE_PULL && self->sink != NULL && pad == self->src)
    return gst_pad_activate_mode (self->sink, mode, active);
  return TRUE;
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  PyroWitness *self = (PyroWitness *)element;
  GstStateChangeReturn result;

  work (self, PYRO_WITNESS_STATE);
  result = GST_ELEMENT_CLASS (pyro_witness_parent_class)
               ->change_state (element, transition);
  look (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    self->sent = 0;
  return result;
}

static void
pyro_witness_class_init (PyroWitnessClass *klass)
{
  klass->change_state = change_state;
}

static void
pyro_witness_init (PyroWitness *self)
{
  self->buffers = 10;
}

static GstPad *
add_pad (PyroWitness *self, const gchar *name, GstPadDirection direction)
{
  GstPad *pad = gst_pad_new (name, direction);

  gst_pad_set_event_function (pad, event);
  gst_pad_set_query_function (pad, query);
  gst_pad_set_activate_function (pad, activate);
  gst_pad_set_activatemode_function (pad, activate_mode);
  if (direction == GST_PAD_SINK) {
    gst_pad_set_chain_function (pad, chain);
    gst_pad_set_chain_list_function (pad, chain_list);
  } else {
    gst_pad_set_getrange_function (pad, get_range);
  }
  gst_element_add_pad (GST_ELEMENT (self), pad);
  return pad;
}

GstElement *
pyro_witness_new (PyroWitnessKind kind, const gchar *name)
{
  PyroWitness *self = g_object_new (pyro_witness_get_type (), NULL);

  gst_object_set_name (GST_OBJECT (self), name);
  self->kind = kind;
  if (kind == PYRO_WITNESS_FILTER || kind == PYRO_WITNESS_SINK
      || kind == PYRO_WITNESS_PULLER)
    self->sink = add_pad (self, "sink", GST_PAD_SINK);
  if (kind == PYRO_WITNESS_FILTER || kind == PYRO_WITNESS_SOURCE
      || kind == PYRO_WITNESS_PROVIDER)
    self->src = add_pad (self, "src", GST_PAD_SRC);
  /* A bin waits for the end of its sinks. */
  if (self->src == NULL)
    GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SINK);
  return GST_ELEMENT (self);
}

void
pyro_witness_set_buffers (GstElement *element, guint n)
{
  ((PyroWitness *)element)->buffers = n;
}

void
pyro_witness_set_func (GstElement *element, PyroWitnessFunc func, gpointer data)
{
  ((PyroWitness *)element)->data = data;
  ((PyroWitness *)element)->func = func;
}

guint
pyro_witness_get_seen (GstElement *element, PyroWitnessWork kind)
{
  return __atomic_load_n (&((PyroWitness *)element)->seen[kind],
                          __ATOMIC_RELAXED);
}

/* pipelines of them */

void
pyro_wait_for_end (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (
      bus, PYRO_WITNESS_WAIT, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

  g_assert_nonnull (message);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  gst_message_unref (message);
  gst_object_unref (bus);
}

void
pyro_play (GstElement *bin)
{
  g_assert_cmpint (gst_element_set_state (bin, GST_STATE_PLAYING), !=,
                   GST_STATE_CHANGE_FAILURE);
  pyro_assert_executing (NULL);
}

void
pyro_stop (GstElement *bin)
{
  gst_element_set_state (bin, GST_STATE_NULL);
  pyro_assert_executing (NULL);
}

void
pyro_play_to_the_end (GstElement *pipeline)
{
  pyro_play (pipeline);
  pyro_wait_for_end (pipeline);
  pyro_stop (pipeline);
}

void
pyro_add (GstElement *bin, GstElement *element)
{
  g_assert_true (gst_bin_add (GST_BIN (bin), element));
}

GstElement *
pyro_add_witness (GstElement *bin, PyroWitnessKind kind, const gchar *name)
{
  GstElement *witness = pyro_witness_new (kind, name);

  pyro_witness_set_buffers (witness, PYRO_WITNESS_BUFFERS);
  pyro_add (bin, witness);
  return witness;
}

void
pyro_link (GstElement *a, GstElement *b)
{
  g_assert_true (gst_element_link (a, b));
}

GstPad *
pyro_feeder_new (GstPad *pad)
{
  GstPad *feeder = gst_object_ref_sink (gst_pad_new ("feeder", GST_PAD_SRC));
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_pad_set_active (feeder, TRUE);
  g_assert_cmpint (gst_pad_link (feeder, pad), ==, GST_PAD_LINK_OK);
  gst_pad_push_event (feeder, gst_event_new_stream_start ("test"));
  gst_pad_push_event (feeder, gst_event_new_segment (&segment));
  pyro_assert_executing (NULL);
  return feeder;
}

void
pyro_feeder_free (GstPad *feeder)
{
  GstPad *peer = gst_pad_get_peer (feeder);

  gst_pad_set_active (feeder, FALSE);
  gst_pad_unlink (feeder, peer);
  gst_object_unref (peer);
  gst_object_unref (feeder);
}

GstEvent *
pyro_custom_event (GstEventType type)
{
  return gst_event_new_custom (type, gst_structure_new_empty ("test"));
}
