/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

/* An object as the tracer is one. */
#define TYPE_HOLDER (holder_get_type ())
G_DECLARE_FINAL_TYPE (Holder, holder, TEST, HOLDER, GObject)

struct _Holder {
  GObject parent;
  Fixture f;
};

G_DEFINE_TYPE (Holder, holder, G_TYPE_OBJECT)

enum {
  PROP_0,
  PROP_OTHER,
  PROP_SETTINGS,
};

static void
holder_set_property (GObject *object, guint id, const GValue *value,
                     GParamSpec *pspec)
{
  Holder *self = TEST_HOLDER (object);

  pyro_settings_set_property (self->f.s, id - PROP_SETTINGS, value,
                              self->f.messages);
}

static void
holder_get_property (GObject *object, guint id, GValue *value,
                     GParamSpec *pspec)
{
  Holder *self = TEST_HOLDER (object);

  g_assert_true (
      pyro_settings_get_property (self->f.s, id - PROP_SETTINGS, value));
}

static void
holder_finalize (GObject *object)
{
  fixture_clear (&TEST_HOLDER (object)->f);
  G_OBJECT_CLASS (holder_parent_class)->finalize (object);
}

static void
holder_class_init (HolderClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = holder_set_property;
  object_class->get_property = holder_get_property;
  object_class->finalize = holder_finalize;
  pyro_settings_install_properties (object_class, PROP_SETTINGS);
}

static void
holder_init (Holder *self)
{
  self->f = fixture (
      "tags=a=b,auth-token=hush,http-headers=A=hush,sample-rate=50", NULL);
  /* That secrets are no parameters. */
  g_ptr_array_set_size (self->f.messages, 0);
}

static void
test_specs (void)
{
  GObjectClass *klass = g_type_class_ref (TYPE_HOLDER);
  guint n_settings, n_specs;
  const PyroSetting *table = pyro_setting_table (&n_settings);
  g_autofree GParamSpec **specs
      = g_object_class_list_properties (klass, &n_specs);
  GParamSpec *rate = g_object_class_find_property (klass, "sample-rate");
  GParamSpec *labels = g_object_class_find_property (klass, "labels");

  g_assert_cmpuint (n_specs, ==, n_settings);
  for (guint i = 0; i < n_settings; i++) {
    GParamSpec *spec = g_object_class_find_property (klass, table[i].name);

    g_assert_nonnull (spec);
    g_assert_cmpstr (g_param_spec_get_blurb (spec), ==, table[i].help);
    g_assert_cmpuint (spec->flags & G_PARAM_READWRITE, ==, G_PARAM_READWRITE);
    g_assert_cmpuint (spec->flags & G_PARAM_CONSTRUCT, ==, 0);
    g_assert_true (g_str_has_suffix (table[i].help, "."));
  }
  g_assert_cmpuint (G_PARAM_SPEC_UINT (rate)->minimum, ==, 1);
  g_assert_cmpuint (G_PARAM_SPEC_UINT (rate)->maximum, ==, 1000);
  g_assert_cmpuint (G_PARAM_SPEC_UINT (rate)->default_value, ==, 100);
  g_assert_cmpuint (G_PARAM_SPEC_FLAGS (labels)->default_value, ==, 63);
  g_type_class_unref (klass);
}

static void
test_read_and_write (void)
{
  g_autoptr (Holder) self
      = g_object_new (TYPE_HOLDER, "tracer-name", "n", NULL);
  g_autofree gchar *name = NULL, *tags = NULL;
  guint rate, labels;
  gint unwinder;
  gboolean stop;

  /* A property wins over the parameters. */
  g_object_set (self, "sample-rate", 10, "labels", PYRO_LABEL_PATH, "unwinder",
                PYRO_UNWINDER_TABLES, "stop-agent-on-dispose", FALSE, "tags",
                "c=d", NULL);
  g_object_get (self, "tracer-name", &name, "sample-rate", &rate, "labels",
                &labels, "unwinder", &unwinder, "stop-agent-on-dispose", &stop,
                "tags", &tags, NULL);
  g_assert_cmpstr (name, ==, "n");
  g_assert_cmpuint (rate, ==, 10);
  g_assert_cmpuint (labels, ==, PYRO_LABEL_PATH);
  g_assert_cmpint (unwinder, ==, PYRO_UNWINDER_TABLES);
  g_assert_false (stop);
  g_assert_cmpstr (tags, ==, "c=d");
  assert_list (self->f.s->tag_list, "c=d");
  assert_n_messages (&self->f, 0);

  g_object_set (self, "server-url", NULL, NULL);
  g_assert_cmpstr (self->f.s->server_url, ==, "");
  g_object_set (self, "server-url", "http://u:p@a/", NULL);
  g_assert_cmpstr (self->f.s->server_url, ==, "http://a");
  g_assert_true (is_said (&self->f, "auth-token&wins"));
}

static void
test_wrong (void)
{
  g_autoptr (Holder) self = g_object_new (TYPE_HOLDER, NULL);

  g_object_set (self, "server-url", "ftp://a", "profiles", 0, "tracer-name", "",
                "tags", "a,e=f", "auth-token", "hush hush", NULL);
  g_assert_cmpstr (self->f.s->server_url, ==, "http://localhost:4040");
  g_assert_cmpuint (self->f.s->profiles, ==, PYRO_PROFILE_CPU);
  g_assert_cmpstr (self->f.s->tracer_name, ==, "gst.pyroscope");
  g_assert_cmpstr (self->f.s->auth_token, ==, "hush");
  assert_list (self->f.s->tag_list, "e=f");
  g_assert_true (is_said (&self->f, "server-url&ftp://a&the property&"
                                    "http://localhost:4040"));
  g_assert_true (is_said (&self->f, "profiles&empty&cpu"));
  g_assert_true (is_said (&self->f, "tracer-name&empty"));
  g_assert_true (is_said (&self->f, "tags&\"a\"&the property"));
  g_assert_true (is_said (&self->f, "auth-token&blank"));
  g_assert_true (is_hidden (&self->f, "hush"));
}

static void
test_secrets (void)
{
  g_autoptr (Holder) self = g_object_new (TYPE_HOLDER, NULL);
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  g_object_set (self, "tenant-id", "hush", NULL);
  g_assert_cmpstr (self->f.s->tenant_id, ==, "hush");
  for (guint i = 0; i < n_settings; i++) {
    g_auto (GValue) value = G_VALUE_INIT;
    g_autofree gchar *shown = NULL;

    g_object_get_property (G_OBJECT (self), table[i].name, &value);
    shown = g_strdup_value_contents (&value);
    g_assert_null (strstr (shown, "hush"));
    if (table[i].secret)
      g_assert_null (g_value_get_string (&value));
  }
}

static void
test_index (void)
{
  g_auto (Fixture) f = fixture (NULL, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  guint n_settings;

  pyro_setting_table (&n_settings);
  g_value_init (&value, G_TYPE_UINT);
  g_assert_false (pyro_settings_set_property (f.s, n_settings, &value, NULL));
  g_assert_false (pyro_settings_get_property (f.s, n_settings, &value));
  /* An id below PROP_SETTINGS. */
  g_assert_false (pyro_settings_get_property (f.s, (guint)-1, &value));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/properties/each setting is one, with its help and range",
                   test_specs);
  g_test_add_func ("/properties/they read as they were written",
                   test_read_and_write);
  g_test_add_func ("/properties/a wrong one is reported and the old one stays",
                   test_wrong);
  g_test_add_func ("/properties/secrets cannot be read", test_secrets);
  g_test_add_func ("/properties/other ids are refused", test_index);
  return g_test_run ();
}
