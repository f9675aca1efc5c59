/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "settings/params.h"

typedef struct {
  const gchar *params;
  const gchar *wanted; /* "name=value" for each, '|' between, in table order */
  guint n_messages;
} Case;

static gchar *
join_values (gchar **values)
{
  guint n_settings;
  const PyroSetting *table = pyro_setting_table (&n_settings);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < n_settings; i++)
    if (values[i] != NULL)
      g_string_append_printf (text, "%s%s=%s", text->len > 0 ? "|" : "",
                              table[i].name, values[i]);
  return g_string_free (text, FALSE);
}

static void
check_cases (const Case *cases, guint n_cases)
{
  for (guint i = 0; i < n_cases; i++) {
    g_autoptr (GPtrArray) messages = pyro_settings_messages_new ();
    gchar **values = pyro_settings_params_split (cases[i].params, messages);
    g_autofree gchar *text = join_values (values);

    note_case (cases[i].params);
    for (guint j = 0; j < messages->len; j++)
      g_test_message (
          "  %s",
          ((PyroSettingsMessage *)g_ptr_array_index (messages, j))->text);
    g_assert_cmpstr (text, ==, cases[i].wanted);
    g_assert_cmpuint (messages->len, ==, cases[i].n_messages);
    pyro_settings_params_free (values);
  }
}

static void
test_plain (void)
{
  static const Case cases[] = {
    { NULL, "", 0 },
    { "", "", 0 },
    { " \t ", "", 0 },
    { ";", "", 0 },
    { ",,,", "", 0 },
    { "sample-rate=100", "sample-rate=100", 0 },
    { "sample_rate=100", "sample-rate=100", 0 },
    { " sample-rate = 100 , tracer-name = a ", "tracer-name=a|sample-rate=100",
      0 },
    { "sample-rate=100;", "sample-rate=100", 0 },
    { "sample-rate=100 ; ;", "sample-rate=100", 0 },
    { ",sample-rate=100,,", "sample-rate=100", 0 },
    { "\nsample-rate=100,\n  tracer-name=a\n", "tracer-name=a|sample-rate=100",
      0 },
    { "pyroscope,sample-rate=100", "sample-rate=100", 0 },
    { "params, sample-rate=100;", "sample-rate=100", 0 },
    { "pyroscope", "", 0 },
    { "server-url=", "server-url=", 0 },
    { "server-url=,sample-rate=1", "server-url=|sample-rate=1", 0 },
    { "server-url=\"\"", "server-url=", 0 },
    { "tracer-name=a b", "tracer-name=a b", 0 },
    { "tracer-name=it's", "tracer-name=it's", 0 },
    { "tracer-name=a\\,b", "tracer-name=a,b", 0 },
    { "auth-token=abc==", "auth-token=abc==", 0 },
    { "server-url=http://a/?b=c@d~e%20", "server-url=http://a/?b=c@d~e%20", 0 },
    { "tracer-name=123", "tracer-name=123", 0 },
    { "tracer-name=\303\244", "tracer-name=\303\244", 0 },
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_first_tracer (void)
{
  static const Case cases[] = {
    { "server-url=http://localhost:4040,tracer-name=gst.pyroscope,"
      "sample-rate=100,stop-agent-on-dispose=true,tags=\"k1=v1\"",
      "server-url=http://localhost:4040|tracer-name=gst.pyroscope|"
      "sample-rate=100|stop-agent-on-dispose=true|tags=k1=v1",
      0 },
    { "server-url=http://localhost:4040,tracer-name=gst.pyroscope,"
      "sample-rate=100,stop-agent-on-dispose=true,tags=\"k1=v1,k2=v2\"",
      "server-url=http://localhost:4040|tracer-name=gst.pyroscope|"
      "sample-rate=100|stop-agent-on-dispose=true|tags=k1=v1,k2=v2",
      0 },
    { "tags=env=dev,team=video", "tags=env=dev,team=video", 0 },
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_quotes (void)
{
  static const Case cases[] = {
    { "tracer-name=\"a,b\",sample-rate=1", "tracer-name=a,b|sample-rate=1", 0 },
    { "tracer-name='a,b'", "tracer-name=a,b", 0 },
    { "tracer-name='a\"b'", "tracer-name=a\"b", 0 },
    { "tracer-name=\"a'b\"", "tracer-name=a'b", 0 },
    { "tracer-name=\"a\\\"b\\\\c\"", "tracer-name=a\"b\\c", 0 },
    { "tracer-name=\"a\\,b\"", "tracer-name=a,b", 0 },
    { "tracer-name = \"a\" , sample-rate = \"1\"",
      "tracer-name=a|sample-rate=1", 0 },
    /* What these lists make of a backslash is theirs. */
    { "tags=\"a=b\\,c,d=\\\"e\\\"\"", "tags=a=b\\,c,d=\"e\"", 0 },
    { "tags=a=b\\,c,d=e", "tags=a=b\\,c,d=e", 0 },
    { "tags=a=\"b,sample-rate=1\",sample-rate=2",
      "sample-rate=2|tags=a=\"b,sample-rate=1\"", 0 },
    { "tags=a=it's,b=it's,sample-rate=2", "sample-rate=2|tags=a=it's,b=it's",
      0 },
    { "tracer-name=\"a\"b,sample-rate=1", "tracer-name=a|sample-rate=1", 1 },
    { "sample-rate=1,tracer-name=\"a,tags=b=c", "sample-rate=1", 1 },
    { "sample-rate=1,tracer-name='a\\'", "sample-rate=1", 1 },
    { "tracer-name=\"", "", 1 },
    { "tracer-name=\"\\", "", 1 },
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_gstreamer_forms (void)
{
  static const Case cases[] = {
    { "sample-rate=(int)100", "sample-rate=100", 0 },
    { "sample-rate = (uint) 100 , tracer-name=(string)\"a\"",
      "tracer-name=a|sample-rate=100", 0 },
    { "tracer-name=(gchararray)a", "tracer-name=a", 0 },
    { "tracer-name=(a)b", "tracer-name=(a)b", 0 },
    { "tags={a=b,c=d},sample-rate=1", "sample-rate=1|tags={a=b,c=d}", 0 },
    { "tags=<a=b,c=d>", "tags=<a=b,c=d>", 0 },
    { "tags=[ \"a=}\", 'c=]' ],sample-rate=1",
      "sample-rate=1|tags=[ \"a=}\", 'c=]' ]", 0 },
    { "labels={pipeline,element},profiles=<cpu>",
      "profiles=<cpu>|labels={pipeline,element}", 0 },
    { "labels=pipeline,element,sample-rate=1",
      "sample-rate=1|labels=pipeline,element", 0 },
    { "labels=pipeline,element,", "labels=pipeline,element,", 0 },
    { "labels=pipeline,foo=1", "labels=pipeline", 1 },
    { "tags={{a=b},{c=d}},sample-rate=1", "sample-rate=1|tags={{a=b},{c=d}}",
      0 },
    { "http-headers={\"A\":\"b,c}\",\"D\":\"e\"},sample-rate=1",
      "sample-rate=1|http-headers={\"A\":\"b,c}\",\"D\":\"e\"}", 0 },
    { "tags={a=b,sample-rate=1", "", 1 },
    { "tags={a=\"b},sample-rate=1", "", 1 },
    { "tags={a=b}c,sample-rate=1", "sample-rate=1|tags={a=b}", 1 },
    { "tracer-name={a", "tracer-name={a", 0 },
    /* Cut by GStreamer before 1.24. */
    { "sample-rate=(int", "sample-rate=(int", 1 },
    { "tracer-name=\"a(b", "", 2 },
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_bare_lists (void)
{
  static const Case cases[] = {
    { "tags=a=b,sample-rate=1,c=d", "sample-rate=1|tags=a=b", 1 },
    { "tags=a=b,c=d,servr-url=x,e=f", "tags=a=b,c=d", 2 },
    { "tags=a=b,tracer_name=c", "tracer-name=c|tags=a=b", 0 },
    { "tags=stage=prod,page=1,user=me,rate=5,name=x,level=1,zone=a",
      "tags=stage=prod,page=1,user=me,rate=5,name=x,level=1,zone=a", 0 },
    { "tags=a=b,k8s.pod=c,sample-rate=1", "sample-rate=1|tags=a=b,k8s.pod=c",
      0 },
    { "tags=a=b,,c=d", "tags=a=b,,c=d", 0 },
    { "tags=a=b , sample-rate=1", "sample-rate=1|tags=a=b", 0 },
    { "http-headers=A=b,C=d,sample-rate=1",
      "sample-rate=1|http-headers=A=b,C=d", 0 },
    { "tgas=a=b,c=d,sample-rate=1", "sample-rate=1", 1 },
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_not_understood (void)
{
  static const Case cases[] = {
    { "foo", "", 1 },
    { "=1", "", 1 },
    { "=", "", 1 },
    { "foo=1,bar=2", "", 2 },
    { "foo=\"a,sample-rate=2\",sample-rate=1", "sample-rate=1", 1 },
    { "foo=\"a,sample-rate=2", "", 1 },
    { "sample-rate=1,foo,tracer-name=a", "tracer-name=a|sample-rate=1", 1 },
    { "sample-rate=1,pyroscope", "sample-rate=1", 1 },
    { "sample-rate=1,sample-rate=2", "sample-rate=2", 1 },
    { "tracer-name=a,b", "tracer-name=a", 1 },
  };
  g_auto (Fixture) f = fixture ("sample-rate=1,servr-url=x,sample_rate=2,"
                                "tracer-name=a,b,quux=1",
                                NULL);

  check_cases (cases, G_N_ELEMENTS (cases));
  g_assert_true (is_said (&f, "servr-url&byte 15&mean server-url"));
  g_assert_true (is_said (&f, "sample-rate&twice&byte 27"));
  g_assert_true (is_said (&f, "byte 55&tracer-name&no '='&quotes"));
  g_assert_true (is_said (&f, "quux&byte 57&server-url, tracer-name, "));
  assert_n_messages (&f, 4);
}

static void
test_nearest (void)
{
  static const struct {
    const gchar *name, *nearest;
    gboolean is_misspelling;
  } cases[] = {
    { "servr-url", "server-url", TRUE },
    { "server-ulr", "server-url", TRUE },
    { "SERVER_URL", "server-url", TRUE },
    { "sever-ur", "server-url", TRUE },
    { "tag", "tags", TRUE },
    { "tgas", "tags", TRUE },
    { "stage", "tags", FALSE },
    { "url", "server-url", FALSE },
    { "headers", "http-headers", FALSE },
    { "rate", "sample-rate", FALSE },
    { "user", "basic-auth-user", FALSE },
    { "quux-frobnicator", NULL, FALSE },
    { "", NULL, FALSE },
    { "x", NULL, FALSE },
  };
  g_autofree gchar *huge = g_strnfill (1 << 20, 'a');

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    gboolean is_misspelling;
    const PyroSetting *nearest
        = pyro_setting_nearest (cases[i].name, &is_misspelling);

    note_case (cases[i].name);
    g_assert_cmpint (is_misspelling, ==, cases[i].is_misspelling);
    if (cases[i].nearest == NULL)
      g_assert_false (is_misspelling);
    else if (is_misspelling || strlen (cases[i].nearest) > 4)
      g_assert_cmpstr (nearest->name, ==, cases[i].nearest);
  }
  g_assert_null (pyro_setting_nearest (huge, NULL));
}

/* Pieces that mean something to the parser, and some that do not. */
static const gchar *const pieces[] = { "server-url",
                                       "tags",
                                       "http-headers",
                                       "labels",
                                       "sample-rate",
                                       "auth-token",
                                       "tgas",
                                       "=",
                                       "=",
                                       ",",
                                       ",",
                                       "\"",
                                       "'",
                                       "\\",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       "<",
                                       ">",
                                       "(",
                                       ")",
                                       "(string)",
                                       ";",
                                       " ",
                                       ":",
                                       "a",
                                       "b1",
                                       "-",
                                       "_",
                                       "\303\244",
                                       "\303",
                                       "\377",
                                       "\n",
                                       "\r",
                                       "\001",
                                       "cpu",
                                       "element",
                                       "http://",
                                       "@",
                                       "18446744073709551616",
                                       "5s",
                                       "\\u0041",
                                       "{\"A\":\"b\"}",
                                       "1.5",
                                       "%" };

static void
test_hostile (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (20240406);

  for (guint run = 0; run < 20000; run++) {
    GString *params = g_string_new (NULL);
    guint n_pieces = g_rand_int_range (random, 1, 24);
    g_auto (Fixture) f = { 0 };

    for (guint i = 0; i < n_pieces; i++)
      g_string_append (
          params, pieces[g_rand_int_range (random, 0, G_N_ELEMENTS (pieces))]);
    f = fixture (params->str, NULL);
    g_assert_cmpuint (f.messages->len, <=, PYRO_SETTINGS_MAX_MESSAGES);
    g_assert_cmpuint (f.s->sample_rate, >=, 1);
    g_assert_cmpuint (f.s->sample_rate, <=, 1000);
    for (guint i = 0; i < f.messages->len; i++) {
      g_assert_true (g_utf8_validate (message (&f, i), -1, NULL));
      g_assert_null (strpbrk (message (&f, i), "\n\r\001"));
    }
    g_string_free (params, TRUE);
  }
}

static void
test_large (void)
{
  static const gchar *const repeated[]
      = { "a,", "a=b,",   "tags=a=b,", "\"",
          "='", "={",     "(",         "\\",
          ",=", "tags={", "a='b\",",   "http-headers=\"a=b\"," };

  for (guint i = 0; i < G_N_ELEMENTS (repeated); i++) {
    GString *params = g_string_new ("tags=");
    gint64 start = g_get_monotonic_time ();
    g_auto (Fixture) f = { 0 };

    while (params->len < 100000)
      g_string_append (params, repeated[i]);
    f = fixture (params->str, NULL);
    g_assert_cmpuint (f.messages->len, <=, PYRO_SETTINGS_MAX_MESSAGES);
    for (guint j = 0; j < f.messages->len; j++)
      g_assert_cmpuint (strlen (message (&f, j)), <, 2000);
    /* Nothing is quadratic, which would take minutes. */
    g_test_message ("%s: %" G_GINT64_FORMAT " us", repeated[i],
                    g_get_monotonic_time () - start);
    g_assert_cmpint (g_get_monotonic_time () - start, <, 20 * G_USEC_PER_SEC);
    g_string_free (params, TRUE);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/params/blanks, empty parts and a ';' do not matter",
                   test_plain);
  g_test_add_func ("/params/the first tracer's own lines are understood",
                   test_first_tracer);
  g_test_add_func ("/params/quotes and backslashes", test_quotes);
  g_test_add_func ("/params/GStreamer's types and lists are understood",
                   test_gstreamer_forms);
  g_test_add_func ("/params/a bare list ends where a setting begins",
                   test_bare_lists);
  g_test_add_func ("/params/what is not understood is reported with its place",
                   test_not_understood);
  g_test_add_func ("/params/the nearest name is found", test_nearest);
  g_test_add_func ("/params/hostile text does no harm", test_hostile);
  g_test_add_func ("/params/large text is read in linear time", test_large);
  return g_test_run ();
}
