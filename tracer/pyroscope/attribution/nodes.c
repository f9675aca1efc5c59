/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "nodes.h"

#include <string.h>

/* GStreamer's own names are shorter; a longer one is allocated. */
#define NAME_SIZE 128

/* Questions whose answers are kept for the collector, who comes every 20 ms to
 * 100 ms. A power of two. */
#define MAX_ANSWERS 8192
/* Questions in the list at once: the holder of the lock sleeps. */
#define MAX_QUESTIONS 65536

typedef enum {
  PAD_ADDED,
  PAD_REMOVED,
  LINKS_CHANGED,
  ELEMENT_ADDED,
  ELEMENT_REMOVED,
  ELEMENT_RESTS,
  FREED,
  /* Questions: */
  WHOSE_PAD,
  WHICH_ELEMENT,
  USE_ELEMENT,
} Kind;

/* What a hook reports or asks. */
typedef struct _Report {
  struct _Report *next; /* in the list of those that wait */
  Kind kind;
  guint64 seen; /* changes when the objects were looked at */
  guint32 question;
  gconstpointer address; /* FREED */
  PyroPadView pads[2];
  PyroElementView elements[2]; /* [0] is the bin or the element of the pad */
} Report;

typedef struct {
  guint32 question;
  PyroPadLabels labels;
} Answer;

static struct {
  GMutex lock;     /* of the tables of objects and nodes, and of answers */
  Answer *answers; /* by question, modulo MAX_ANSWERS */

  /* Lock-free. */
  Report *waiting; /* newest first */
  guint32 last_question;
  guint n_questions; /* among those that wait */
} registry;

/* looking at objects */

/* Copies at most SIZE bytes of the object's name into COPY. Returns how many it
 * has with its zero; 0: it cannot be read now. */
static gsize
try_copy_name (GstObject *object, gchar *copy, gsize size)
{
  gsize needed = 0;

  if (!g_mutex_trylock (GST_OBJECT_GET_LOCK (object)))
    return 0;
  if (GST_OBJECT_NAME (object) != NULL)
    needed = g_strlcpy (copy, GST_OBJECT_NAME (object), size) + 1;
  GST_OBJECT_UNLOCK (object);
  return needed;
}

/* Returns COPY, or a longer one to be freed; NULL: it cannot be read now. The
 * allocator is not called with the object's lock: it may have locks, too. */
static const gchar *
read_name (GstObject *object, gchar copy[NAME_SIZE])
{
  gsize size = try_copy_name (object, copy, NAME_SIZE);
  gchar *longer;

  if (size <= NAME_SIZE)
    return size > 0 ? copy : NULL;
  longer = g_malloc (size);
  if (try_copy_name (object, longer, size) == size)
    return longer;
  g_free (longer);
  return NULL;
}

static PyroObjectKind
kind_of (gpointer object)
{
  if (GST_IS_BIN (object))
    return PYRO_OBJECT_BIN;
  return GST_IS_ELEMENT (object) ? PYRO_OBJECT_ELEMENT : PYRO_OBJECT_UNKNOWN;
}

static void
look_at_factory (PyroElementView *view, GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);
  GstPlugin *plugin;

  /* At the first element of a type it is not known yet. */
  if (factory == NULL)
    return;
  /* Features are not renamed, and stay. */
  view->factory = GST_OBJECT_NAME (factory);
  plugin = gst_plugin_feature_get_plugin (GST_PLUGIN_FEATURE (factory));
  if (plugin != NULL)
    view->plugin_file = gst_plugin_get_filename (plugin);
  g_clear_object (&plugin);
}

/* Strings of VIEW are valid as long as NAME and the hook. */
static void
look_at_element (PyroElementView *view, GstElement *element,
                 gchar name[NAME_SIZE])
{
  GstObject *object = GST_OBJECT_CAST (element);

  view->address = element;
  view->kind = kind_of (element);
  view->parent
      = __atomic_load_n (&GST_OBJECT_PARENT (object), __ATOMIC_ACQUIRE);
  look_at_factory (view, element);
  view->name = read_name (object, name);
}

static void
view_clear (PyroElementView *view, const gchar name[NAME_SIZE])
{
  if (view->name != name)
    g_free ((gchar *)view->name);
}

static void
look_at_pad (PyroPadView *view, GstPad *pad)
{
  view->address = pad;
  view->parent = __atomic_load_n (&GST_OBJECT_PARENT (pad), __ATOMIC_ACQUIRE);
  view->peer = __atomic_load_n (&GST_PAD_PEER (pad), __ATOMIC_ACQUIRE);
}

/* with the lock */

static guint64
exact (PyroObject *element)
{
  return element != NULL ? pyro_label_word (pyro_objects_get_node (element),
                                            PYRO_ATTRIBUTION_EXACT)
                         : 0;
}

/* TRUE: the answer may be kept. */
static gboolean
answer_whose_pad (const Report *report, PyroPadLabels *labels)
{
  PyroObject *pad = pyro_objects_see_pad (&report->pads[0], report->seen);
  PyroObject *own = pyro_objects_get_own (pad);
  PyroObject *other = pyro_objects_get_other_side (pad);

  labels->own = exact (own);
  labels->other_side = other == own ? labels->own : exact (other);
  return (own == NULL || labels->own != 0)
         && (other == NULL || labels->other_side != 0);
}

static gboolean
apply (const Report *report, PyroPadLabels *labels)
{
  PyroObject *objects[2] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (objects); i++)
    if (report->elements[i].address != NULL)
      objects[i]
          = pyro_objects_see_element (&report->elements[i], report->seen);
  switch (report->kind) {
  case PAD_ADDED:
    pyro_objects_enter (pyro_objects_see_pad (&report->pads[0], report->seen),
                        objects[0]);
    break;
  case PAD_REMOVED:
    pyro_objects_leave (pyro_objects_see_pad (&report->pads[0], report->seen),
                        objects[0]);
    break;
  case LINKS_CHANGED:
    pyro_objects_see_pad (&report->pads[0], report->seen);
    pyro_objects_see_pad (&report->pads[1], report->seen);
    break;
  case ELEMENT_ADDED:
    pyro_objects_enter (objects[1], objects[0]);
    break;
  case ELEMENT_REMOVED:
    /* From a bin that it is not in, it will not be removed. */
    if (report->elements[1].parent == report->elements[0].address)
      pyro_objects_leave (objects[1], objects[0]);
    break;
  case ELEMENT_RESTS:
    pyro_objects_set_in_use (objects[0], FALSE);
    break;
  case FREED:
    pyro_objects_forget (report->address);
    break;
  case WHOSE_PAD:
    return answer_whose_pad (report, labels);
  case USE_ELEMENT:
    pyro_objects_set_in_use (objects[0], TRUE);
    labels->own = exact (objects[0]);
    break;
  case WHICH_ELEMENT:
    labels->own = exact (objects[0]);
    break;
  }
  return TRUE;
}

static void
keep_answer (guint32 question, const PyroPadLabels *labels)
{
  if (registry.answers == NULL)
    registry.answers = g_new0 (Answer, MAX_ANSWERS);
  registry.answers[question % MAX_ANSWERS] = (Answer){ question, *labels };
}

static void
report_free (Report *report)
{
  for (guint i = 0; i < G_N_ELEMENTS (report->elements); i++) {
    g_free ((gchar *)report->elements[i].name);
    g_free ((gchar *)report->elements[i].factory);
    g_free ((gchar *)report->elements[i].plugin_file);
  }
  g_free (report);
}

/* Whoever has the lock first does what others could not wait for, in the order
 * in which it was reported. */
static void
catch_up (void)
{
  Report *newest
      = __atomic_exchange_n (&registry.waiting, NULL, __ATOMIC_ACQ_REL);
  Report *oldest = NULL;

  while (newest != NULL) {
    Report *next = newest->next;

    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != NULL) {
    Report *report = oldest;
    PyroPadLabels labels = { 0 };

    oldest = report->next;
    apply (report, &labels);
    if (report->question != 0) {
      keep_answer (report->question, &labels);
      __atomic_sub_fetch (&registry.n_questions, 1, __ATOMIC_RELAXED);
    }
    report_free (report);
  }
}

static gboolean
try_lock (void)
{
  if (!g_mutex_trylock (&registry.lock))
    return FALSE;
  catch_up ();
  return TRUE;
}

static void
lock (void)
{
  g_mutex_lock (&registry.lock);
  catch_up ();
}

static void
unlock (void)
{
  g_mutex_unlock (&registry.lock);
}

/* without it */

static void
wait_in_list (const Report *report)
{
  Report *copy = g_memdup2 (report, sizeof *report);

  for (guint i = 0; i < G_N_ELEMENTS (copy->elements); i++) {
    PyroElementView *view = &copy->elements[i];

    view->name = g_strdup (view->name);
    view->factory = g_strdup (view->factory);
    view->plugin_file = g_strdup (view->plugin_file);
  }
  copy->next = __atomic_load_n (&registry.waiting, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n (&registry.waiting, &copy->next, copy,
                                       TRUE, __ATOMIC_RELEASE,
                                       __ATOMIC_RELAXED))
    ;
}

static void
report_change (const Report *report)
{
  PyroPadLabels nothing;

  if (try_lock ()) {
    apply (report, &nothing);
    unlock ();
    return;
  }
  wait_in_list (report);
  /* What it makes stale is found out later: until then, everything is. */
  pyro_pad_epochs_advance ();
}

/* The number of a question as label words, or 0: too many wait. */
static guint64
ask (Report *report)
{
  if (__atomic_add_fetch (&registry.n_questions, 1, __ATOMIC_RELAXED)
          > MAX_QUESTIONS
      && report->kind != USE_ELEMENT) {
    __atomic_sub_fetch (&registry.n_questions, 1, __ATOMIC_RELAXED);
    return 0;
  }
  do
    report->question
        = __atomic_add_fetch (&registry.last_question, 1, __ATOMIC_RELAXED);
  while (report->question == 0);
  wait_in_list (report);
  return PYRO_LABEL_QUESTION
         | pyro_label_word (report->question, PYRO_ATTRIBUTION_EXACT);
}

void
pyro_nodes_pad_added (GstElement *element, GstPad *pad)
{
  Report report = { .kind = PAD_ADDED, .seen = pyro_objects_get_changes () };
  gchar name[NAME_SIZE];

  look_at_element (&report.elements[0], element, name);
  look_at_pad (&report.pads[0], pad);
  report_change (&report);
  view_clear (&report.elements[0], name);
}

void
pyro_nodes_pad_removed (GstElement *element, GstPad *pad)
{
  Report report = { .kind = PAD_REMOVED, .seen = pyro_objects_get_changes () };
  gchar name[NAME_SIZE];

  look_at_element (&report.elements[0], element, name);
  look_at_pad (&report.pads[0], pad);
  report_change (&report);
  view_clear (&report.elements[0], name);
}

void
pyro_nodes_links_changed (GstPad *a, GstPad *b)
{
  Report report
      = { .kind = LINKS_CHANGED, .seen = pyro_objects_get_changes () };

  look_at_pad (&report.pads[0], a);
  look_at_pad (&report.pads[1], b);
  report_change (&report);
}

static void
report_place (Kind kind, GstElement *bin, GstElement *element)
{
  Report report = { .kind = kind, .seen = pyro_objects_get_changes () };
  gchar names[2][NAME_SIZE];

  look_at_element (&report.elements[0], bin, names[0]);
  look_at_element (&report.elements[1], element, names[1]);
  report_change (&report);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    view_clear (&report.elements[i], names[i]);
}

void
pyro_nodes_element_added (GstElement *bin, GstElement *element)
{
  report_place (ELEMENT_ADDED, bin, element);
}

void
pyro_nodes_element_removed (GstElement *bin, GstElement *element)
{
  report_place (ELEMENT_REMOVED, bin, element);
}

void
pyro_nodes_object_freed (GstObject *object)
{
  Report report = { .kind = FREED, .address = object };

  report_change (&report);
}

static guint64
ask_for_element (Kind kind, GstElement *element)
{
  Report report = { .kind = kind, .seen = pyro_objects_get_changes () };
  PyroPadLabels labels = { 0 };
  gchar name[NAME_SIZE];

  look_at_element (&report.elements[0], element, name);
  if (try_lock ()) {
    apply (&report, &labels);
    unlock ();
  } else {
    labels.own = ask (&report);
  }
  view_clear (&report.elements[0], name);
  return labels.own;
}

guint64
pyro_nodes_resolve_element (GstElement *element)
{
  return ask_for_element (WHICH_ELEMENT, element);
}

guint64
pyro_nodes_use_element (GstElement *element)
{
  return ask_for_element (USE_ELEMENT, element);
}

void
pyro_nodes_element_rests (GstElement *element)
{
  Report report
      = { .kind = ELEMENT_RESTS, .seen = pyro_objects_get_changes () };
  gchar name[NAME_SIZE];

  look_at_element (&report.elements[0], element, name);
  report_change (&report);
  view_clear (&report.elements[0], name);
}

gboolean
pyro_nodes_are_at_rest (void)
{
  return pyro_objects_get_n_in_use () == 0;
}

guint
pyro_nodes_resolve_pad (GstPad *pad, PyroPadLabels *labels)
{
  /* Before anything is looked at: what changes meanwhile makes it stale. */
  guint epoch = pyro_pad_epoch (pad);
  Report report = { .kind = WHOSE_PAD, .seen = pyro_objects_get_changes () };
  gboolean may_be_kept;

  look_at_pad (&report.pads[0], pad);
  if (!try_lock ()) {
    labels->own = ask (&report);
    labels->other_side
        = labels->own != 0 ? labels->own | PYRO_LABEL_OTHER_SIDE : 0;
    return 0;
  }
  may_be_kept = apply (&report, labels);
  unlock ();
  return may_be_kept ? epoch : 0;
}

static guint64
settle_locked (guint64 word)
{
  guint32 question = (guint32)word;
  const Answer *answer;

  if (registry.answers == NULL)
    return 0;
  answer = &registry.answers[question % MAX_ANSWERS];
  if (answer->question != question)
    return 0;
  return word & PYRO_LABEL_OTHER_SIDE ? answer->labels.other_side
                                      : answer->labels.own;
}

guint64
pyro_nodes_settle (guint64 word)
{
  if (!(word & PYRO_LABEL_QUESTION))
    return word;
  lock ();
  word = settle_locked (word);
  unlock ();
  return word;
}

guint64
pyro_nodes_try_settle (guint64 word)
{
  if (!(word & PYRO_LABEL_QUESTION))
    return word;
  if (!try_lock ())
    return 0;
  word = settle_locked (word);
  unlock ();
  return word;
}

const PyroNode *
pyro_nodes_ref (guint32 node)
{
  const PyroNode *names;

  lock ();
  names = pyro_node_table_ref (node);
  unlock ();
  return names;
}

guint64
pyro_nodes_make_lasting (const gchar *name)
{
  const PyroNode names = { .pipeline = "",
                           .path = (gchar *)name,
                           .element = (gchar *)name,
                           .factory = "",
                           .library = "" };
  guint32 node;

  lock ();
  node = pyro_node_table_intern (&names);
  pyro_node_table_use (node);
  unlock ();
  return pyro_label_word (node, PYRO_ATTRIBUTION_EXACT);
}

gboolean
pyro_nodes_are_apart (guint32 a, guint32 b)
{
  const PyroNode *first, *second;
  gboolean apart = FALSE;

  if (!try_lock ())
    return FALSE;
  first = pyro_node_table_ref (a);
  second = pyro_node_table_ref (b);
  unlock ();
  if (first != NULL && second != NULL)
    apart = pyro_node_is_apart (first, second);
  if (first != NULL)
    pyro_node_unref (first);
  if (second != NULL)
    pyro_node_unref (second);
  return apart;
}

const gchar *
pyro_nodes_get_library (guint32 node)
{
  return pyro_node_table_get_library (node);
}

guint64
pyro_nodes_begin_interval (void)
{
  guint64 interval;

  lock ();
  interval = pyro_node_table_begin_interval ();
  unlock ();
  return interval;
}

void
pyro_nodes_end_interval (guint64 interval)
{
  lock ();
  pyro_node_table_end_interval (interval);
  unlock ();
}

void
pyro_nodes_get_stats (PyroNodeTableStats *stats)
{
  lock ();
  pyro_node_table_get_stats (stats);
  unlock ();
}

void
pyro_nodes_fork_prepare (void)
{
  g_mutex_lock (&registry.lock);
}

void
pyro_nodes_fork_done (gboolean in_child)
{
  if (in_child)
    pyro_node_table_end_all_intervals ();
  g_mutex_unlock (&registry.lock);
}
