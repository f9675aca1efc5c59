/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "settings/value.h"

static void
test_defaults (void)
{
  g_auto (Fixture) f = fixture (NULL, NULL);

  assert_n_messages (&f, 0);
  g_assert_cmpstr (f.s->server_url, ==, "http://localhost:4040");
  g_assert_cmpstr (f.s->tracer_name, ==, "gst.pyroscope");
  g_assert_cmpuint (f.s->sample_rate, ==, 100);
  g_assert_true (f.s->stop_agent_on_dispose);
  g_assert_cmpstr (f.s->tags, ==, "");
  g_assert_cmpuint (f.s->tag_list->len, ==, 0);
  g_assert_cmpstr (f.s->output_dir, ==, "");
  g_assert_cmpuint (f.s->symbols, ==, PYRO_SYMBOLS_LOCAL);
  g_assert_cmpstr (f.s->debug_path, ==, "/usr/lib/debug");
  g_assert_cmpuint (f.s->upload_interval, ==, 10);
  g_assert_cmpuint (f.s->profiles, ==, PYRO_PROFILE_CPU);
  g_assert_cmpuint (f.s->labels, ==,
                    PYRO_LABEL_PIPELINE | PYRO_LABEL_PATH | PYRO_LABEL_ELEMENT
                        | PYRO_LABEL_FACTORY | PYRO_LABEL_THREAD
                        | PYRO_LABEL_ATTRIBUTION);
  g_assert_cmpuint (f.s->unwinder, ==, PYRO_UNWINDER_AUTO);
  g_assert_cmpuint (f.s->stop_timeout, ==, 5);
  g_assert_cmpstr (f.s->basic_auth_user, ==, "");
  g_assert_cmpstr (f.s->basic_auth_password, ==, "");
  g_assert_cmpstr (f.s->auth_token, ==, "");
  g_assert_cmpstr (f.s->tenant_id, ==, "");
  g_assert_cmpstr (f.s->http_headers, ==, "");
  g_assert_cmpuint (f.s->header_list->len, ==, 0);
  g_assert_cmpstr (f.s->ca_file, ==, "");
}

static void
test_parameters (void)
{
  g_auto (Fixture) f = fixture (
      "server-url=https://a/b,tracer-name=n,sample-rate=1000,"
      "stop-agent-on-dispose=no,tags=a=b,c=d,output-dir=/o,upload-interval=1m,"
      "profiles=cpu,labels=element,path,unwinder=tables,stop-timeout=0,"
      "basic-auth-user=u,basic-auth-password=p,tenant-id=t,http-headers=A=b",
      NULL);

  /* The password and the headers: GStreamer logs them. */
  assert_n_messages (&f, 2);
  g_assert_cmpstr (f.s->server_url, ==, "https://a/b");
  g_assert_cmpstr (f.s->tracer_name, ==, "n");
  g_assert_cmpuint (f.s->sample_rate, ==, 1000);
  g_assert_false (f.s->stop_agent_on_dispose);
  g_assert_cmpstr (f.s->tags, ==, "a=b,c=d");
  assert_list (f.s->tag_list, "a=b|c=d");
  g_assert_cmpstr (f.s->output_dir, ==, "/o");
  g_assert_cmpuint (f.s->upload_interval, ==, 60);
  g_assert_cmpuint (f.s->labels, ==, PYRO_LABEL_ELEMENT | PYRO_LABEL_PATH);
  g_assert_cmpuint (f.s->unwinder, ==, PYRO_UNWINDER_TABLES);
  g_assert_cmpuint (f.s->stop_timeout, ==, 0);
  g_assert_cmpstr (f.s->basic_auth_user, ==, "u");
  g_assert_cmpstr (f.s->basic_auth_password, ==, "p");
  g_assert_cmpstr (f.s->tenant_id, ==, "t");
  assert_list (f.s->header_list, "A=b");
}

static void
test_environment (void)
{
  g_auto (Fixture) f = fixture (
      NULL, "GST_PYROSCOPE_SERVER_URL=https://a/b GST_PYROSCOPE_TRACER_NAME=n "
            "GST_PYROSCOPE_TAGS=a=b,c=(;) GST_PYROSCOPE_SAMPLE_RATE=50 "
            "GST_PYROSCOPE_STOP_AGENT_ON_DISPOSE=0 GST_PYROSCOPE_OUTPUT_DIR=/o "
            "GST_PYROSCOPE_UPLOAD_INTERVAL=20 GST_PYROSCOPE_PROFILES=cpu "
            "GST_PYROSCOPE_LABELS=element GST_PYROSCOPE_UNWINDER=libunwind "
            "GST_PYROSCOPE_STOP_TIMEOUT=1 GST_PYROSCOPE_AUTH_TOKEN=t "
            "GST_PYROSCOPE_TENANT_ID=i GST_PYROSCOPE_HTTP_HEADERS=A=b "
            "PATH=/bin GST_PLUGIN_PATH=x");

  assert_n_messages (&f, 0);
  g_assert_cmpstr (f.s->server_url, ==, "https://a/b");
  g_assert_cmpstr (f.s->tracer_name, ==, "n");
  assert_list (f.s->tag_list, "a=b|c=(;)");
  g_assert_cmpuint (f.s->sample_rate, ==, 50);
  g_assert_false (f.s->stop_agent_on_dispose);
  g_assert_cmpstr (f.s->output_dir, ==, "/o");
  g_assert_cmpuint (f.s->upload_interval, ==, 20);
  g_assert_cmpuint (f.s->labels, ==, PYRO_LABEL_ELEMENT);
  g_assert_cmpuint (f.s->unwinder, ==, PYRO_UNWINDER_LIBUNWIND);
  g_assert_cmpuint (f.s->stop_timeout, ==, 1);
  g_assert_cmpstr (f.s->auth_token, ==, "t");
  g_assert_cmpstr (f.s->tenant_id, ==, "i");
  assert_list (f.s->header_list, "A=b");
}

static void
test_agents_environment (void)
{
  g_auto (Fixture) f = fixture (
      NULL,
      "PYROSCOPE_SERVER_ADDRESS=http://a PYROSCOPE_APPLICATION_NAME=n "
      "PYROSCOPE_BASIC_AUTH_USER=u PYROSCOPE_BASIC_AUTH_PASSWORD=p "
      "PYROSCOPE_TENANT_ID=t PYROSCOPE_LABELS=a=b "
      "PYROSCOPE_HTTP_HEADERS={\"A\":\"b\"} PYROSCOPE_UPLOAD_INTERVAL=15s "
      "PYROSCOPE_SAMPLE_RATE=7 PYROSCOPE_PORT=4040");

  assert_n_messages (&f, 0);
  g_assert_cmpstr (f.s->server_url, ==, "http://a");
  g_assert_cmpstr (f.s->tracer_name, ==, "n");
  g_assert_cmpstr (f.s->basic_auth_user, ==, "u");
  g_assert_cmpstr (f.s->basic_auth_password, ==, "p");
  g_assert_cmpstr (f.s->tenant_id, ==, "t");
  assert_list (f.s->tag_list, "a=b");
  assert_list (f.s->header_list, "A=b");
  g_assert_cmpuint (f.s->upload_interval, ==, 15);
  /* The agents have no such name. */
  g_assert_cmpuint (f.s->sample_rate, ==, 100);
}

static void
test_order (void)
{
  static const struct {
    const gchar *params, *environment, *wanted;
  } cases[] = {
    { "tracer-name=a",
      "GST_PYROSCOPE_TRACER_NAME=b "
      "PYROSCOPE_APPLICATION_NAME=c",
      "a" },
    { NULL, "PYROSCOPE_APPLICATION_NAME=c GST_PYROSCOPE_TRACER_NAME=b", "b" },
    { NULL, "PYROSCOPE_APPLICATION_NAME=c", "c" },
    { NULL, "PYROSCOPE_APPLICATION_NAME=", "gst.pyroscope" },
  };
  g_auto (Fixture) no_push = fixture (NULL, "GST_PYROSCOPE_SERVER_URL= "
                                            "PYROSCOPE_SERVER_ADDRESS=a");
  g_auto (Fixture) unset = fixture (NULL, "GST_PYROSCOPE_SAMPLE_RATE= "
                                          "GST_PYROSCOPE_LABELS= "
                                          "PYROSCOPE_SERVER_ADDRESS=");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_auto (Fixture) f = fixture (cases[i].params, cases[i].environment);

    assert_n_messages (&f, 0);
    g_assert_cmpstr (f.s->tracer_name, ==, cases[i].wanted);
  }
  assert_n_messages (&no_push, 0);
  g_assert_cmpstr (no_push.s->server_url, ==, "");
  assert_n_messages (&unset, 0);
  g_assert_cmpuint (unset.s->sample_rate, ==, 100);
  g_assert_cmpuint (unset.s->labels, !=, 0);
  g_assert_cmpstr (unset.s->server_url, ==, "http://localhost:4040");
}

static void
test_wrong_values (void)
{
  static const struct {
    const gchar *params, *environment, *said;
  } cases[] = {
    { "sample-rate=abc", NULL,
      "sample-rate&\"abc\"&GST_TRACERS&1 to 1000 Hz&100 (default)" },
    { "sample-rate=-5", NULL, "sample-rate&\"-5\"&negative&1 to 1000 Hz&100" },
    { "sample-rate=5000", "GST_PYROSCOPE_SAMPLE_RATE=50",
      "sample-rate&5000&too large&50 (GST_PYROSCOPE_SAMPLE_RATE)" },
    { "servr-url=x", NULL, "servr-url&server-url" },
    { "tags=a,b=", NULL, "tags&\"b=\"&b=VALUE" },
    { "tracer-name=", "PYROSCOPE_APPLICATION_NAME=n",
      "tracer-name&empty&\"n\" (PYROSCOPE_APPLICATION_NAME)" },
    { NULL, "PYROSCOPE_UPLOAD_INTERVAL=1d",
      "upload-interval&\"1d\"&PYROSCOPE_UPLOAD_INTERVAL&1 to 1800 seconds" },
    { "unwinder=orc", NULL, "unwinder&\"orc\"&auto, tables, libunwind" },
    { "labels=elment", NULL, "labels&elment&pipeline, path, element" },
    { "stop-agent-on-dispose=maybe", NULL,
      "stop-agent-on-dispose&maybe&true or false&true (default)" },
    { "server-url=ftp://a", NULL,
      "server-url&ftp://a&http nor https&"
      "http://localhost:4040" },
    { "server-url=localhost:1", NULL, "server-url&scheme&http://localhost:1" },
    { "ca-file=/does/not/exist", NULL, "ca-file&/does/not/exist&none" },
    { NULL, "GST_PYROSCOPE_SERVR_URL=x", "GST_PYROSCOPE_SERVR_URL&server-url" },
    { NULL, "GST_PYROSCOPE_sample_rate=1", "GST_PYROSCOPE_sample_rate" },
    { NULL, "GST_PYROSCOPE_=1", "GST_PYROSCOPE_" },
    { "auth-token=t,basic-auth-user=u", NULL, "auth-token&wins" },
    { "basic-auth-password=p", NULL, "basic-auth-user is not&set it" },
    { "auth-token-file=/t,basic-auth-user=u", NULL, "auth-token-file&wins" },
    { "auth-token-file=/t", "GST_PYROSCOPE_AUTH_TOKEN=t",
      "auth-token-file is not used&auth-token is set" },
    { "basic-auth-password-file=/p", NULL, "basic-auth-user is not&set it" },
    { "auth-token=t", NULL,
      "auth-token&its log&auth-token-file&GST_PYROSCOPE_AUTH_TOKEN" },
    { "basic-auth-user=u,basic-auth-password=p", NULL,
      "basic-auth-password&its log&basic-auth-password-file" },
    { "http-headers=A=b", NULL, "its log&GST_PYROSCOPE_HTTP_HEADERS" },
    { "server-url=http://u:p@h", NULL, "its log&GST_PYROSCOPE_SERVER_URL" },
    { "output-mode=rw", NULL, "output-mode&octal&0600" },
    { "output-mode=0200", NULL, "output-mode&owner read&0600" },
    { "output-mode=4755", NULL, "output-mode&permissions&0600" },
    { "upload-interval=3600", NULL, "too large&1 to 1800 seconds&10" },
    { "auth-token=t,http-headers=authorization=x", NULL,
      "Authorization&auth-token" },
    { "basic-auth-user=u,http-headers=Authorization=x", NULL,
      "Authorization&basic-auth-user" },
    { "tenant-id=t,http-headers=x-scope-orgid=x", NULL,
      "X-Scope-OrgID&tenant-id" },
  };
  g_auto (Fixture) all_wrong
      = fixture ("sample-rate=0", "GST_PYROSCOPE_SAMPLE_RATE=x");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_auto (Fixture) f = fixture (cases[i].params, cases[i].environment);

    g_assert_true (is_said (&f, cases[i].said));
  }
  assert_n_messages (&all_wrong, 2);
  g_assert_true (is_said (&all_wrong, "\"0\"&GST_TRACERS&100 (default)"));
  g_assert_true (
      is_said (&all_wrong, "\"x\"&GST_PYROSCOPE_SAMPLE_RATE&100 (default)"));
}

/* Secrets are "hush"; none of them may be said, whatever is wrong. */
static void
test_secrets (void)
{
  static const struct {
    const gchar *params, *environment;
  } cases[] = {
    { "auth-token=hu\nsh", NULL },
    { "auth-token=hush hush", NULL },
    { "auth-token=\"hush\" hush", NULL },
    { "auth-token=\"hush", NULL },
    { "auth-token=a,hush", NULL },
    { "auth-token=a,hush=hush", NULL },
    { "auth-token=a,foo,hush=hush,hush", NULL },
    { "auth-tokn=a,hush,hush=hush", NULL },
    { "auth-tokn=hush hush", NULL },
    { "auth-tokn=\"hush", NULL },
    { "auth-token=hush,auth-token=hush2", NULL },
    { "auth-token=hush,basic-auth-user=hush,basic-auth-password=hush", NULL },
    { "basic-auth-password=hush,basic-auth-user=a:hush", NULL },
    { "basic-auth-password=ab,hush", NULL },
    { "tenant-id=hu sh,hush", NULL },
    { "http-headers=A hush=hush", NULL },
    { "http-headers=A=\"hush", NULL },
    { "http-headers=A=a,hush", NULL },
    { "http-headers=\"{\\\"A\\\":hush}\"", NULL },
    { "http-headers={\"A\":\"hush\\r\"}", NULL },
    { "http-headers={\"A\":\"hush\"", NULL },
    { "http-headers=Authorization=hush,auth-token=hush", NULL },
    { "server-url=http://hush:hush@a", NULL },
    { "server-url=http://u:hush@a,basic-auth-user=hush", NULL },
    { "server-url=u:hush@a", NULL },
    { "server-url=ftp://u:hush@a", NULL },
    { "server-url=http://u:a,hush@a", NULL },
    { "server-url=http://u:a,hush=hush@a", NULL },
    { "server-url=http://u:hush@a:b", NULL },
    { "server-url=http://u:hu%0ahush@a", NULL },
    { "server-url=http://a?token=hush", NULL },
    { "servr-url=http://u:hush@a,hush@b", NULL },
    { "server-url=,ca-file=/x", "GST_PYROSCOPE_AUTH_TOKN=hush" },
    { "auth-token=a\tb", "GST_PYROSCOPE_AUTH_TOKEN=hush "
                         "PYROSCOPE_AUTH_TOKEN=hush" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_auto (Fixture) f = fixture (cases[i].params, cases[i].environment);
    g_autofree gchar *line = pyro_settings_describe (f.s);

    note_case (cases[i].params);
    g_assert_true (is_hidden (&f, "hush"));
    g_assert_null (strstr (line, "hush"));
    g_assert_null (strstr (f.s->server_url, "hush"));
  }
}

static void
test_authentication (void)
{
  g_auto (Fixture) url = fixture ("server-url=http://u%40v:p@a/b", NULL);
  g_auto (Fixture) both = fixture (
      "server-url=http://u:p@a,basic-auth-user=v,basic-auth-password=q", NULL);
  g_auto (Fixture) split
      = fixture ("server-url=http://u@a,basic-auth-password=q", NULL);
  g_auto (Fixture) injected = fixture ("server-url=http://u%0d%0aX:p@a", NULL);
  g_auto (Fixture) token
      = fixture ("server-url=http://u:p@a,auth-token=t,"
                 "http-headers=AUTHORIZATION=x,A=b,tenant-id=i",
                 NULL);

  /* One for each secret among the parameters. */
  assert_n_messages (&url, 1);
  g_assert_cmpstr (url.s->server_url, ==, "http://a/b");
  g_assert_cmpstr (url.s->basic_auth_user, ==, "u@v");
  g_assert_cmpstr (url.s->basic_auth_password, ==, "p");

  assert_n_messages (&both, 1 + 2);
  g_assert_cmpstr (both.s->server_url, ==, "http://a");
  g_assert_cmpstr (both.s->basic_auth_user, ==, "v");
  g_assert_cmpstr (both.s->basic_auth_password, ==, "q");

  assert_n_messages (&split, 1);
  g_assert_cmpstr (split.s->basic_auth_user, ==, "u");
  g_assert_cmpstr (split.s->basic_auth_password, ==, "q");

  assert_n_messages (&injected, 1 + 1);
  g_assert_cmpstr (injected.s->server_url, ==, "http://a");
  g_assert_cmpstr (injected.s->basic_auth_user, ==, "");

  assert_n_messages (&token, 2 + 3);
  g_assert_cmpstr (token.s->basic_auth_user, ==, "");
  g_assert_cmpstr (token.s->basic_auth_password, ==, "");
  g_assert_cmpstr (token.s->auth_token, ==, "t");
  assert_list (token.s->header_list, "A=b");
}

static void
test_describe (void)
{
  g_auto (Fixture) f
      = fixture ("tags=a=b,c=d,output-dir=/o,auth-token=x", NULL);
  g_auto (Fixture) g = fixture ("server-url=,sample-rate=50", NULL);
  g_autofree gchar *line = pyro_settings_describe (f.s);
  g_autofree gchar *other = pyro_settings_describe (g.s);

  g_assert_cmpstr (line, ==,
                   "profiling as \"gst.pyroscope\" at 100 Hz, 10 s a profile, "
                   "pushed to http://localhost:4040 with a token, written to "
                   "\"/o\", tags a=\"b\",c=\"d\"");
  g_assert_cmpstr (other, ==,
                   "profiling as \"gst.pyroscope\" at 50 Hz, 10 s a profile, "
                   "not pushed");
}

static void
test_copy (void)
{
  g_auto (Fixture) f
      = fixture ("tags=a=b,http-headers=C=d,auth-token=t,sample-rate=7", NULL);
  g_autoptr (PyroSettings) copy = pyro_settings_copy (f.s);
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);

  for (guint i = 0; i < n_settings; i++) {
    if (table[i].type != PYRO_SETTING_STRING
        && table[i].type != PYRO_SETTING_PAIRS) {
      g_assert_cmpuint (*pyro_setting_number (&table[i], copy), ==,
                        *pyro_setting_number (&table[i], f.s));
      continue;
    }
    g_assert_cmpstr (*pyro_setting_string (&table[i], copy), ==,
                     *pyro_setting_string (&table[i], f.s));
    g_assert_true (*pyro_setting_string (&table[i], copy)
                   != *pyro_setting_string (&table[i], f.s));
  }
  g_array_set_size (f.s->tag_list, 0);
  g_array_set_size (f.s->header_list, 0);
  fixture_clear (&f);
  assert_list (copy->tag_list, "a=b");
  assert_list (copy->header_list, "C=d");
  g_assert_cmpstr (copy->auth_token, ==, "t");
  pyro_settings_free (NULL);
}

/* What is used, if changed, is no warning. */
static void
test_levels (void)
{
  g_auto (Fixture) used = fixture ("server-url=a,tags=b-c=d", NULL);
  g_auto (Fixture) not_used = fixture ("server-url=ftp://a,tags=b", NULL);

  assert_n_messages (&used, 2);
  assert_n_messages (&not_used, 2);
  for (guint i = 0; i < 2; i++) {
    const PyroSettingsMessage *m = g_ptr_array_index (used.messages, i);
    const PyroSettingsMessage *n = g_ptr_array_index (not_used.messages, i);

    g_assert_cmpint (m->level, ==, PYRO_MESSAGE_INFO);
    g_assert_cmpint (n->level, ==, PYRO_MESSAGE_WARNING);
  }
}

/* Messages may be of no interest, and do not grow without bound. */
static void
test_messages (void)
{
  g_autoptr (PyroSettings) s
      = pyro_settings_new ("foo,sample-rate=x,tags=a", NULL, NULL);
  GString *params = g_string_new (NULL);
  g_auto (Fixture) f = { 0 };

  g_assert_cmpuint (s->sample_rate, ==, 100);
  for (guint i = 0; i < 200; i++)
    g_string_append (params, "foo=1,");
  f = fixture (params->str, NULL);
  g_assert_cmpuint (f.messages->len, ==, PYRO_SETTINGS_MAX_MESSAGES);
  g_assert_nonnull (strstr (message (&f, f.messages->len - 1), "more"));
  g_string_free (params, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/settings/the defaults", test_defaults);
  g_test_add_func ("/settings/all from parameters", test_parameters);
  g_test_add_func ("/settings/all from the environment", test_environment);
  g_test_add_func ("/settings/the agents' environment counts, too",
                   test_agents_environment);
  g_test_add_func ("/settings/parameter, ours, the agents', default",
                   test_order);
  g_test_add_func ("/settings/what is wrong is said, with the remedy",
                   test_wrong_values);
  g_test_add_func ("/settings/no secret is said", test_secrets);
  g_test_add_func ("/settings/one way of authentication is left",
                   test_authentication);
  g_test_add_func ("/settings/one line tells what is done", test_describe);
  g_test_add_func ("/settings/a copy stands alone", test_copy);
  g_test_add_func ("/settings/what is used is no warning", test_levels);
  g_test_add_func ("/settings/messages are bounded", test_messages);
  return g_test_run ();
}
