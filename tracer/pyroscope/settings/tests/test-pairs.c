/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "settings/json.h"
#include "settings/pairs.h"
#include "settings/value.h"

typedef struct {
  const gchar *text;
  const gchar *wanted; /* NULL: all of it is refused */
  const gchar *said;   /* NULL: nothing */
} Case;

static void
check_cases (const gchar *name, const Case *cases, guint n_cases)
{
  const PyroSetting *setting = pyro_setting_find (name);

  for (guint i = 0; i < n_cases; i++) {
    g_auto (Fixture) f = { NULL, pyro_settings_messages_new () };
    g_autofree gchar *why = NULL;
    g_autoptr (GArray) list = pyro_pairs_parse (
        setting, cases[i].text, "GST_PYROSCOPE_X", &why, f.messages);

    note_case (cases[i].text);
    if (cases[i].wanted == NULL) {
      g_assert_null (list);
      g_assert_nonnull (why);
      g_assert_cmpuint (f.messages->len, ==, 0);
      continue;
    }
    assert_list (list, cases[i].wanted);
    if (cases[i].said == NULL)
      assert_n_messages (&f, 0);
    else
      g_assert_true (is_said (&f, cases[i].said) && is_said (&f, name)
                     && is_said (&f, "GST_PYROSCOPE_X"));
  }
}

static void
test_tags (void)
{
  static const Case cases[] = {
    { "", "", NULL },
    { "a=b", "a=b", NULL },
    { "a=b,c=d", "a=b|c=d", NULL },
    { " a = b , c = d e , ", "a=b|c=d e", NULL },
    { "a=b=c", "a=b=c", NULL },
    { "a=b\\,c,d=e\\=f\\\\", "a=b,c|d=e=f\\", NULL },
    { "a=\"b,c\",d='e,\"f'", "a=b,c|d=e,\"f", NULL },
    { "a=\"b\\\",c\"", "a=b\",c", NULL },
    { "a=it's,b=it's", "a=it's|b=it's", NULL },
    { "\"a=b,c\",'d=e'", "a=b,c|d=e", NULL },
    { "{a=b,c=d}", "a=b|c=d", NULL },
    { "[ \"a=b\", (string)\"c=d\" ]", "a=b|c=d", NULL },
    { "<a=(string)\"b\">", "a=b", NULL },
    { "a=\303\244", "a=\303\244", NULL },
    { "hostname=h,version=2", "hostname=h|version=2", NULL },
  };

  check_cases ("tags", cases, G_N_ELEMENTS (cases));
}

static void
test_bad_tags (void)
{
  static const Case cases[] = {
    { "a,b=", "", "\"a\"&no '='&NAME=VALUE" },
    { "a,b=", "", "\"b=\"&no value&b=VALUE" },
    { "a,b=,c=d", "c=d", "\"b=\"&no value" },
    { "=b,c=d", "c=d", "\"=b\"&no name" },
    { "my-tag=1", "my_tag=1", "\"my-tag\"&my_tag is used" },
    { "1a=1", "_1a=1", "\"1a\"&_1a is used" },
    { "gr\303\266\303\237e=1", "gr__e=1", "gr__e is used" },
    { "a=1,a=2", "a=2", "\"a\"&twice&last" },
    { "a-b=1,a_b=2", "a_b=2", "\"a_b\"&twice" },
    { "service_name=x,a=1", "a=1", "service_name&tracer-name" },
    { "__name__=x,a=1", "a=1", "__name__=x&server" },
    { "element=x,a=1", "a=1", "element=x&hide&another name" },
    { "pipeline=x", "", "hide" },
    { "path=x", "", "hide" },
    { "factory=x", "", "hide" },
    { "thread=x", "", "hide" },
    { "attribution=x", "", "hide" },
    { "a=\377,b=1", "b=1", "UTF-8" },
    { "\377=a,b=1", "b=1", "UTF-8" },
    { "a=\"b,c=d", "c=d", "quote&not closed" },
    { "a=\"b\"x,c=d", "c=d", "behind its closing quote" },
    { "\"a=b\"x,c=d", "c=d", "behind its closing quote" },
  };

  check_cases ("tags", cases, G_N_ELEMENTS (cases));
}

static void
test_tag_limits (void)
{
  g_autofree gchar *name = g_strnfill (1024, 'n');
  g_autofree gchar *value = g_strnfill (2048, 'v');
  g_autofree gchar *fits = g_strconcat (name, "=", value, NULL);
  g_autofree gchar *long_name = g_strconcat ("n", name, "=v", NULL);
  g_autofree gchar *long_value = g_strconcat ("n=v", value, NULL);
  const Case cases[] = {
    { fits, fits, NULL },
    { long_name, "", "too long&1024" },
    { long_value, "", "too long&2048" },
  };
  GString *many = g_string_new ("GST_PYROSCOPE_TAGS=hostname=h");
  g_auto (Fixture) f = { 0 };

  check_cases ("tags", cases, G_N_ELEMENTS (cases));

  for (guint i = 0; i < 20; i++)
    g_string_append_printf (many, ",t%u=%u", i, i);
  g_string_append (many, ",version=1,t3=x");
  f = fixture (NULL, many->str);
  /* 30 with __name__, service_name, 6 sample labels, 5 of the tracer's. */
  g_assert_cmpuint (f.s->tag_list->len, ==, 17 + 2);
  g_assert_true (is_said (&f, "tags&3 tags&17&left out"));
  g_assert_true (is_said (&f, "t3&twice"));
  assert_n_messages (&f, 2);
  g_string_free (many, TRUE);
}

static void
test_headers (void)
{
  static const Case cases[] = {
    { "X-A=b", "X-A=b", NULL },
    { "X-A=b,X-C=d=", "X-A=b|X-C=d=", NULL },
    { "{\"X-A\":\"b\"}", "X-A=b", NULL },
    { " { \"X-A\" : \"b,c\" , \"D\":\"\" } ", "X-A=b,c|D=", NULL },
    { "{}", "", NULL },
    { "{ \"X-A=b\", \"C=d\" }", "X-A=b|C=d", NULL },
    { "{\"A\":\"\\u00e4\\ud83d\\ude00\\n\"}", "", "control character" },
    { "{\"A\":\"\\u00e4\\ud83d\\ude00\\/\\\\\"}",
      "A=\303\244\360\237\230\200/\\", NULL },
    { "X-A=\"b\r\nInjected: c\",D=e", "D=e", "X-A&control" },
    { "{\"X-A\":\"b\\r\\nInjected: c\"}", "", "X-A&control" },
    { "{\"X-A: b\\r\\nInjected\":\"c\"}", "", "no valid name" },
    { "X A=b,C=d", "C=d", "no valid name" },
    { "X-A,C=d", "C=d", "no '='" },
    { "x-a=b,X-A=c", "x-a=c", "twice" },
    { "content-type=text/plain,A=b", "A=b", "content-type&the push itself" },
    /* A list that does not end, not JSON. */
    { "{", "", "no '='" },
    { "{\"A\"}", "", "no '='" },
    { "{\"A\":1}", NULL, NULL },
    { "{\"A\":\"b\"", NULL, NULL },
    { "{\"A\":\"b\",}", NULL, NULL },
    { "{\"A\":\"b\"}x", NULL, NULL },
    { "{\"A\":{\"B\":\"c\"}}", NULL, NULL },
    { "{\"A\":\"\\ud83d\"}", NULL, NULL },
    { "{\"A\":\"\\ud83d\\uffff\"}", NULL, NULL },
    { "{\"A\":\"\\ude00\"}", NULL, NULL },
    { "{\"A\":\"\\u0000\"}", NULL, NULL },
    { "{\"A\":\"\\x\"}", NULL, NULL },
    { "{\"A\":\"", NULL, NULL },
    { "{\"A\":", NULL, NULL },
  };

  check_cases ("http-headers", cases, G_N_ELEMENTS (cases));
}

static void
test_header_limit (void)
{
  GString *many = g_string_new ("GST_PYROSCOPE_HTTP_HEADERS=A=b");
  g_auto (Fixture) f = { 0 };

  for (guint i = 0; i < 100; i++)
    g_string_append_printf (many, ",H%u=secret", i);
  f = fixture (NULL, many->str);
  g_assert_cmpuint (f.s->header_list->len, ==, 64);
  g_assert_true (is_said (&f, "http-headers&37 headers&64&left out"));
  g_assert_true (is_hidden (&f, "secret"));
  g_string_free (many, TRUE);
}

/* JSON that is cut off anywhere, or has any one byte changed. */
static void
test_hostile_json (void)
{
  static const gchar good[]
      = " {\"A\" : \"b\\u00e4\\ud83d\\ude00\" , \"C\":\"\\\"\"} ";
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  for (gsize length = 0; length < sizeof good - 3; length++) {
    g_autofree gchar *cut = g_strndup (good, length);
    g_autofree gchar *why = NULL;

    g_assert_null (pyro_json_read_object (cut, &why));
    g_assert_nonnull (why);
    pyro_json_is_object (cut);
  }
  for (guint run = 0; run < 20000; run++) {
    g_autofree gchar *changed = g_strdup (good);
    g_autofree gchar *why = NULL;
    g_autoptr (GArray) list = NULL;

    changed[g_rand_int_range (random, 0, sizeof good - 1)]
        = g_rand_int_range (random, 0, 256);
    pyro_json_is_object (changed);
    list = pyro_json_read_object (changed, &why);
    g_assert_true ((list == NULL) == (why != NULL));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pairs/tags in all forms", test_tags);
  g_test_add_func ("/pairs/a bad tag is reported and the others are kept",
                   test_bad_tags);
  g_test_add_func ("/pairs/tags keep to the server's limits", test_tag_limits);
  g_test_add_func ("/pairs/headers as pairs and as JSON, none injected",
                   test_headers);
  g_test_add_func ("/pairs/headers have a limit", test_header_limit);
  g_test_add_func ("/pairs/JSON that is cut off or changed does no harm",
                   test_hostile_json);
  return g_test_run ();
}
