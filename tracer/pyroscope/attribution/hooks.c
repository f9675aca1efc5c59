/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define GST_USE_UNSTABLE_API
#include "hooks.h"

#include <dlfcn.h>
#include <link.h>

#include "interposition.h"
#include "node-stack.h"
#include "plugin-loading.h"
#include "workers.h"

/* The types of the hooks are in no installed header; arguments that are not
 * looked at are left out where they come last. */
static const PyroHookCallbacks *hook_callbacks;

/* Atomic. The number of the session that runs, or that is about to start: from
 * the first sign of life on, threads keep their stacks of nodes, so that those
 * who are in the middle of something when the session is there are known. 0:
 * hooks are off. Stacks of another number are not valid. */
#define IS_STARTED 1u /* in the lowest bit; the number is above */
static guint active_word;
static guint last_generation;
static gint owners_wanted;

/* Atomic: what signs of life are wanted for. */
#define WANTED_TO_START 1u
#define WANTED_TO_COMPLETE 2u /* the interposition */
static guint life_wanted;

#define FRAME ((guintptr)__builtin_frame_address (0))

static inline PyroNodeStack *
current_stack (void)
{
  guint generation = __atomic_load_n (&active_word, __ATOMIC_RELAXED) >> 1;

  return G_LIKELY (generation != 0) ? pyro_node_stack_get (generation) : NULL;
}

static guint
next_generation (void)
{
  guint generation;

  do
    generation = __atomic_add_fetch (&last_generation, 1, __ATOMIC_RELAXED)
                 & G_MAXUINT >> 1;
  while (generation == 0);
  return generation;
}

/* If it has been stopped meanwhile, or cannot start, it is off again: life is
 * not wanted any more before hooks are turned off. */
static void
disarm (guint generation)
{
  guint armed = generation << 1;

  __atomic_compare_exchange_n (&active_word, &armed, 0, FALSE, __ATOMIC_SEQ_CST,
                               __ATOMIC_SEQ_CST);
  if (__atomic_load_n (&active_word, __ATOMIC_SEQ_CST) >> 1 != generation)
    pyro_workers_end_generation (generation);
}

/* Several threads may be here at once. */
static void
arm (void)
{
  guint generation, off = 0;

  if (__atomic_load_n (&active_word, __ATOMIC_SEQ_CST) != 0)
    return;
  generation = next_generation ();
  if (!__atomic_compare_exchange_n (&active_word, &off, generation << 1, FALSE,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return;
  if (__atomic_load_n (&owners_wanted, __ATOMIC_RELAXED))
    pyro_workers_set_generation (generation);
  if (!(__atomic_load_n (&life_wanted, __ATOMIC_SEQ_CST) & WANTED_TO_START))
    disarm (generation);
}

static void
live (guint wanted)
{
  if (wanted & WANTED_TO_START)
    arm ();
  if (wanted & WANTED_TO_COMPLETE && pyro_interposition_is_complete ())
    __atomic_fetch_and (&life_wanted, ~WANTED_TO_COMPLETE, __ATOMIC_SEQ_CST);
  if (wanted & WANTED_TO_START)
    hook_callbacks->sign_of_life ();
}

static inline void
sign_of_life (void)
{
  guint wanted = __atomic_load_n (&life_wanted, __ATOMIC_RELAXED);

  if (G_UNLIKELY (wanted != 0))
    live (wanted);
}

/* Entering and leaving work on a pad: its own element executes, or the one on
 * the other side. */

static inline void
enter_own (GstPad *pad, PyroHookKind kind, guintptr frame)
{
  PyroNodeStack *stack = current_stack ();

  if (G_LIKELY (stack != NULL))
    pyro_node_stack_push_pad (stack, pad, FALSE, kind, frame);
}

static inline void
enter_peer (GstPad *pad, PyroHookKind kind, guintptr frame)
{
  PyroNodeStack *stack = current_stack ();

  if (G_UNLIKELY (stack == NULL))
    return;
  /* Whose pad it is, has called. */
  if (G_UNLIKELY (pyro_node_stack_is_one_elements (stack)))
    pyro_node_stack_acts (stack,
                          pyro_node_stack_resolve (stack, pad)->labels.own);
  pyro_node_stack_push_pad (stack, pad, TRUE, kind, frame);
}

static inline void
enter_element (GstElement *element, PyroHookKind kind, guintptr frame)
{
  PyroNodeStack *stack = current_stack ();

  if (stack != NULL)
    pyro_node_stack_push (stack, element, pyro_nodes_resolve_element (element),
                          kind, frame);
}

static inline void
leave (gconstpointer object, PyroHookKind kind)
{
  PyroNodeStack *stack = current_stack ();

  if (stack != NULL)
    pyro_node_stack_pop (stack, object, kind);
}

static void
on_chain_pre (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  sign_of_life ();
  enter_own (pad, PYRO_HOOK_CHAIN, FRAME);
}

static void
on_chain_post (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  leave (pad, PYRO_HOOK_CHAIN);
}

static void
on_push_pre (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  sign_of_life ();
  enter_peer (pad, PYRO_HOOK_PUSH, FRAME);
}

static void
on_push_post (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  leave (pad, PYRO_HOOK_PUSH);
}

static void
on_pull_pre (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  sign_of_life ();
  enter_peer (pad, PYRO_HOOK_PULL, FRAME);
}

static void
on_pull_post (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  leave (pad, PYRO_HOOK_PULL);
}

static void
on_push_event_pre (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  enter_peer (pad, PYRO_HOOK_PUSH_EVENT, FRAME);
}

static void
on_push_event_post (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  leave (pad, PYRO_HOOK_PUSH_EVENT);
}

static void
on_send_event_pre (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  enter_own (pad, PYRO_HOOK_SEND_EVENT, FRAME);
}

static void
on_send_event_post (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  leave (pad, PYRO_HOOK_SEND_EVENT);
}

/* GStreamer 1.22 does not report the end of a query that a probe answers or
 * drops: pyro_hooks_settle_doubt(). */
static void
on_pad_query_pre (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  PyroNodeStack *stack = current_stack ();

  if (stack == NULL)
    return;
  pyro_node_stack_push_pad (stack, pad, FALSE, PYRO_HOOK_QUERY, FRAME);
  pyro_node_stack_doubt_top (stack);
}

static void
on_pad_query_post (GObject *tracer, GstClockTime ts, GstPad *pad)
{
  leave (pad, PYRO_HOOK_QUERY);
}

static void
on_element_query_pre (GObject *tracer, GstClockTime ts, GstElement *element)
{
  enter_element (element, PYRO_HOOK_QUERY, FRAME);
}

static void
on_element_query_post (GObject *tracer, GstClockTime ts, GstElement *element)
{
  leave (element, PYRO_HOOK_QUERY);
}

static void
use_plugin (GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);
  GstPlugin *plugin
      = factory != NULL
            ? gst_plugin_feature_get_plugin (GST_PLUGIN_FEATURE (factory))
            : NULL;

  pyro_interposition_use (plugin != NULL ? gst_plugin_get_filename (plugin)
                                         : NULL);
  g_clear_object (&plugin);
}

static void
on_change_state_pre (GObject *tracer, GstClockTime ts, GstElement *element,
                     GstStateChange transition)
{
  gboolean in_use = GST_STATE_TRANSITION_NEXT (transition) > GST_STATE_NULL;
  PyroNodeStack *stack;
  guint64 label;

  /* gst-inspect-1.0 makes elements, too, and sets them to NULL. */
  if (in_use) {
    sign_of_life ();
    if (G_UNLIKELY (__atomic_load_n (&life_wanted, __ATOMIC_RELAXED)
                    & WANTED_TO_COMPLETE))
      use_plugin (element);
  }
  /* A session that begins later has to know who is in use. */
  label = in_use ? pyro_nodes_use_element (element)
                 : pyro_nodes_resolve_element (element);
  stack = current_stack ();
  if (stack == NULL)
    return;
  pyro_node_stack_push (stack, element, label, PYRO_HOOK_STATE, FRAME);
  /* It may make threads from now on; its plugin's libraries may be new. */
  if (in_use)
    pyro_interposition_look ();
}

static void
on_change_state_post (GObject *tracer, GstClockTime ts, GstElement *element,
                      GstStateChange transition)
{
  leave (element, PYRO_HOOK_STATE);
  if (transition != GST_STATE_CHANGE_READY_TO_NULL)
    return;
  pyro_nodes_element_rests (element);
  if (GST_OBJECT_PARENT (element) == NULL && current_stack () != NULL)
    hook_callbacks->pause_in_work ();
}

/* A pad's task tells of its start and end on its own thread. Bins forward the
 * message: only the owner's own posting counts. */
static void
follow_task (GstElement *element, GstMessage *message)
{
  GstStreamStatusType type;
  GstElement *owner = NULL;

  gst_message_parse_stream_status (message, &type, &owner);
  if (owner != element)
    return;
  if (type == GST_STREAM_STATUS_TYPE_ENTER)
    pyro_node_stack_enter_task (pyro_nodes_resolve_element (element));
  else if (type == GST_STREAM_STATUS_TYPE_LEAVE)
    pyro_node_stack_leave_task ();
}

static void
on_post_message_pre (GObject *tracer, GstClockTime ts, GstElement *element,
                     GstMessage *message)
{
  PyroNodeStack *stack;
  guint64 label;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_STREAM_STATUS)
    follow_task (element, message);
  stack = current_stack ();
  if (stack == NULL)
    return;
  label = pyro_nodes_resolve_element (element);
  if (pyro_node_stack_is_one_elements (stack))
    pyro_node_stack_acts (stack, label);
  pyro_node_stack_push (stack, element, label, PYRO_HOOK_MESSAGE, FRAME);
  /* A pipeline's own EOS: all its sinks are done. */
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS
      && GST_OBJECT_PARENT (element) == NULL
      && GST_MESSAGE_SRC (message) == GST_OBJECT_CAST (element))
    hook_callbacks->pause_in_work ();
}

static void
on_post_message_post (GObject *tracer, GstClockTime ts, GstElement *element)
{
  leave (element, PYRO_HOOK_MESSAGE);
}

static void
on_bin_add_post (GObject *tracer, GstClockTime ts, GstBin *bin,
                 GstElement *element, gboolean done)
{
  if (done)
    pyro_nodes_element_added (GST_ELEMENT_CAST (bin), element);
}

/* Before it happens: the hook behind it is not told which element it was. */
static void
on_bin_remove_pre (GObject *tracer, GstClockTime ts, GstBin *bin,
                   GstElement *element)
{
  pyro_nodes_element_removed (GST_ELEMENT_CAST (bin), element);
}

static void
on_pad_added (GObject *tracer, GstClockTime ts, GstElement *element,
              GstPad *pad)
{
  pyro_nodes_pad_added (element, pad);
}

/* Likewise before it happens. */
static void
on_pad_removed (GObject *tracer, GstClockTime ts, GstElement *element,
                GstPad *pad)
{
  pyro_nodes_pad_removed (element, pad);
}

static void
on_linked (GObject *tracer, GstClockTime ts, GstPad *src, GstPad *sink)
{
  pyro_nodes_links_changed (src, sink);
}

static void
on_object_destroyed (GObject *tracer, GstClockTime ts, GstObject *object)
{
  pyro_nodes_object_freed (object);
}

static const struct {
  const gchar *name;
  GCallback callback;
} hooks[] = {
#define HOOK(name, callback)    \
  {                             \
    name, G_CALLBACK (callback) \
  }
  HOOK ("pad-chain-pre", on_chain_pre),
  HOOK ("pad-chain-post", on_chain_post),
  HOOK ("pad-chain-list-pre", on_chain_pre),
  HOOK ("pad-chain-list-post", on_chain_post),
  HOOK ("pad-push-pre", on_push_pre),
  HOOK ("pad-push-post", on_push_post),
  HOOK ("pad-push-list-pre", on_push_pre),
  HOOK ("pad-push-list-post", on_push_post),
  HOOK ("pad-pull-range-pre", on_pull_pre),
  HOOK ("pad-pull-range-post", on_pull_post),
  HOOK ("pad-push-event-pre", on_push_event_pre),
  HOOK ("pad-push-event-post", on_push_event_post),
  HOOK ("pad-send-event-pre", on_send_event_pre),
  HOOK ("pad-send-event-post", on_send_event_post),
  HOOK ("pad-query-pre", on_pad_query_pre),
  HOOK ("pad-query-post", on_pad_query_post),
  HOOK ("element-query-pre", on_element_query_pre),
  HOOK ("element-query-post", on_element_query_post),
  HOOK ("element-change-state-pre", on_change_state_pre),
  HOOK ("element-change-state-post", on_change_state_post),
  HOOK ("element-post-message-pre", on_post_message_pre),
  HOOK ("element-post-message-post", on_post_message_post),
  HOOK ("bin-add-post", on_bin_add_post),
  HOOK ("bin-remove-pre", on_bin_remove_pre),
  HOOK ("element-add-pad", on_pad_added),
  HOOK ("element-remove-pad", on_pad_removed),
  HOOK ("pad-link-post", on_linked),
  HOOK ("pad-unlink-post", on_linked),
  HOOK ("object-destroyed", on_object_destroyed),
#undef HOOK
};

/* GStreamer looks hooks up in a GHashTable of their names, 16 times for each
 * element and buffer, and most of these look-ups find nothing: they probe up to
 * the next free slot. A table of 32 slots is nearly full with our names, and
 * how long the probing takes then depends on the numbers that the quarks happen
 * to get (on average 53 steps a hop, 160 in the worst registry); the 31st name
 * makes it one of 64 (8 on average, 42 at most). See docs/benchmarks.md. */
#define N_NAMES_FOR_A_SPARSE_TABLE 31

static void
never_called (void)
{
}

static void
register_spare_names (GstTracer *tracer, guint n_registered)
{
  for (guint i = n_registered; i < N_NAMES_FOR_A_SPARSE_TABLE; i++) {
    g_autofree gchar *name = g_strdup_printf ("pyroscope-spare-%u", i);

    /* A name without a quark would be registered for all hooks. */
    g_quark_from_string (name);
    gst_tracing_register_hook (tracer, name, never_called);
  }
}

void
pyro_hooks_register (GstTracer *tracer, const PyroHookCallbacks *callbacks)
{
  guint n = 0;

  hook_callbacks = callbacks;
  /* GStreamer makes the quarks of all its hooks in gst_init(). One that it
   * does not have (pad-chain-* before 1.22, pad-send-event-* before 1.26)
   * would be registered for all of them. */
  for (guint i = 0; i < G_N_ELEMENTS (hooks); i++)
    if (g_quark_try_string (hooks[i].name) != 0) {
      gst_tracing_register_hook (tracer, hooks[i].name, hooks[i].callback);
      n++;
    }
  register_spare_names (tracer, n);
}

/* Where the code of gst_pad_query() is. */
static gboolean
find_query_function (guintptr *start, guintptr *limit)
{
  const ElfW (Sym) *symbol = NULL;
  Dl_info info;

  if (!dladdr1 ((gpointer)gst_pad_query, &info, (void **)&symbol,
                RTLD_DL_SYMENT)
      || symbol == NULL || symbol->st_size == 0)
    return FALSE;
  *start = (guintptr)info.dli_saddr;
  *limit = *start + symbol->st_size;
  return TRUE;
}

guint64
pyro_hooks_settle_doubt (const guintptr *pcs, guint n_pcs, gboolean is_whole,
                         guint64 label, guint64 fallback)
{
  static guintptr start, limit;

  if (limit == 0 && !find_query_function (&start, &limit))
    return label;
  for (guint i = 0; i < n_pcs; i++)
    if (pcs[i] > start && pcs[i] <= limit)
      return label;
  return is_whole ? fallback : 0;
}

void
pyro_hooks_prepare (gboolean thread_owners)
{
  __atomic_store_n (&owners_wanted, thread_owners, __ATOMIC_RELAXED);
  if (!thread_owners)
    return;
  pyro_plugin_loading_prepare ();
  pyro_interposition_begin ();
  if (!pyro_interposition_is_complete ())
    __atomic_fetch_or (&life_wanted, WANTED_TO_COMPLETE, __ATOMIC_SEQ_CST);
}

void
pyro_hooks_start (gboolean thread_owners)
{
  guint before = __atomic_load_n (&active_word, __ATOMIC_SEQ_CST);
  guint word;

  if (thread_owners)
    pyro_hooks_prepare (TRUE);
  do
    word = (before != 0 ? before : next_generation () << 1) | IS_STARTED;
  while (!__atomic_compare_exchange_n (&active_word, &before, word, FALSE,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  pyro_workers_set_generation (thread_owners ? word >> 1 : 0);
}

void
pyro_hooks_stop (void)
{
  __atomic_store_n (&active_word, 0, __ATOMIC_SEQ_CST);
  pyro_workers_set_generation (0);
}

void
pyro_hooks_watch_for_life (gboolean wanted)
{
  if (wanted)
    __atomic_fetch_or (&life_wanted, WANTED_TO_START, __ATOMIC_SEQ_CST);
  else
    __atomic_fetch_and (&life_wanted, ~WANTED_TO_START, __ATOMIC_SEQ_CST);
}
