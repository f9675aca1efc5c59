/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded: names each thread after the instance of the codec library whose
 * call made it, so that a profile's thread label says who owns the thread in
 * truth. What tells instances apart is handed to the library in the call: the
 * number of threads (x264), the codec (libavcodec, libvpx, libaom). x265
 * and OpenH264 are called by pointers: their threads have the name of the
 * thread that made them, which is a queue's in front of the encoder.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread char tag[16];    /* of the call that this thread is in */
static __thread int name_is_tag; /* it was made in such a call */

typedef struct {
  const char *prefix;
  char path[4096];
} Search;

static int
on_module (struct dl_phdr_info *info, size_t size, void *data)
{
  Search *search = data;
  const char *name = strrchr (info->dlpi_name, '/');

  if (name == NULL
      || strncmp (name + 1, search->prefix, strlen (search->prefix)) != 0)
    return 0;
  snprintf (search->path, sizeof search->path, "%s", info->dlpi_name);
  return 1;
}

/* The plugins load the libraries for themselves: RTLD_NEXT does not see them.
 */
static void *
find (const char *library, const char *symbol)
{
  Search search = { library, "" };
  void *handle, *function;

  dl_iterate_phdr (on_module, &search);
  handle = dlopen (search.path, RTLD_LAZY | RTLD_NOLOAD);
  function = handle != NULL ? dlsym (handle, symbol) : NULL;
  if (function == NULL) {
    fprintf (stderr, "thread-truth: no %s in %s\n", symbol, library);
    abort ();
  }
  return function;
}

/* threads */

typedef struct {
  void *(*start) (void *);
  void *argument;
  char tag[16];
} Thread;

static void
set_name (const char *name)
{
  syscall (SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
}

static void *
begin (void *data)
{
  Thread thread = *(Thread *)data;

  free (data);
  strcpy (tag, thread.tag);
  name_is_tag = 1;
  set_name (tag);
  return thread.start (thread.argument);
}

/* The start routine may be another one by now: who calls does not change. */
static int
is_called_by_others (void)
{
  void *frames[8];
  int n = backtrace (frames, 8);
  Dl_info info;

  for (int i = 0; i < n; i++)
    if (dladdr (frames[i], &info) != 0 && info.dli_fname != NULL
        && (strstr (info.dli_fname, "/libx265.so") != NULL
            || strstr (info.dli_fname, "/libopenh264.so") != NULL))
      return 1;
  return 0;
}

int
pthread_create (pthread_t *id, const pthread_attr_t *attributes,
                void *(*start) (void *), void *argument)
{
  static int (*real) (pthread_t *, const pthread_attr_t *, void *(*)(void *),
                      void *);
  Thread *thread;
  char name[16] = "";

  if (real == NULL)
    real = dlsym (RTLD_NEXT, "pthread_create");
  if (tag[0] == '\0' && is_called_by_others ())
    syscall (SYS_prctl, PR_GET_NAME, name, 0, 0, 0);
  if (tag[0] == '\0' && name[0] == '\0')
    return real (id, attributes, start, argument);
  thread = malloc (sizeof *thread);
  thread->start = start;
  thread->argument = argument;
  if (tag[0] != '\0')
    strcpy (thread->tag, tag);
  else
    snprintf (thread->tag, sizeof thread->tag, "t:%.13s", name);
  return real (id, attributes, begin, thread);
}

/* Libraries name their threads themselves. */
int
pthread_setname_np (pthread_t id, const char *name)
{
  if (pthread_equal (id, pthread_self ()) && !name_is_tag)
    set_name (name);
  return 0;
}

int
prctl (int option, ...)
{
  unsigned long arguments[4];
  va_list list;

  va_start (list, option);
  for (int i = 0; i < 4; i++)
    arguments[i] = va_arg (list, unsigned long);
  va_end (list);
  if (option == PR_SET_NAME && name_is_tag)
    return 0;
  return (int)syscall (SYS_prctl, option, arguments[0], arguments[1],
                       arguments[2], arguments[3]);
}

/* libraries; only the members that a structure begins with are read, which no
 * version has changed */

#define WITHIN(text, call)                       \
  do {                                           \
    char before[16];                             \
                                                 \
    strcpy (before, tag);                        \
    snprintf (tag, sizeof tag, "t:%.13s", text); \
    call;                                        \
    strcpy (tag, before);                        \
  } while (0)

typedef struct {
  unsigned cpu;
  int n_threads;
} X264Parameters;

#define X264(version)                                               \
  void *x264_encoder_open_##version (X264Parameters *parameters);   \
  void *x264_encoder_open_##version (X264Parameters *parameters)    \
  {                                                                 \
    void *(*real) (X264Parameters *)                                \
        = find ("libx264.so", "x264_encoder_open_" #version);       \
    char text[16];                                                  \
    void *result;                                                   \
                                                                    \
    snprintf (text, sizeof text, "x264-%d", parameters->n_threads); \
    WITHIN (text, result = real (parameters));                      \
    return result;                                                  \
  }
X264 (155)
X264 (160)
X264 (163)
X264 (164)
X264 (165)

typedef struct {
  const char *name;
} Codec;

int avcodec_open2 (void *context, const Codec *codec, void *options);
int
avcodec_open2 (void *context, const Codec *codec, void *options)
{
  int (*real) (void *, const Codec *, void *)
      = find ("libavcodec.so", "avcodec_open2");
  int (*is_encoder) (const Codec *)
      = find ("libavcodec.so", "av_codec_is_encoder");
  char text[16];
  int result;

  snprintf (text, sizeof text, "%.9s-%s", codec->name,
            is_encoder (codec) ? "enc" : "dec");
  WITHIN (text, result = real (context, codec, options));
  return result;
}

typedef struct {
  const char *name; /* "WebM Project VP8 Encoder v1.12.0" */
} Context;

static void
describe (const char *name, char text[16])
{
  const char *codec = strstr (name, "VP8");

  if (codec == NULL)
    codec = strstr (name, "VP9");
  if (codec == NULL)
    codec = strstr (name, "AV1");
  snprintf (text, 16, "%.3s-%s", codec != NULL ? codec : "?",
            strstr (name, "Encoder") != NULL ? "enc" : "dec");
}

typedef const char *(*InterfaceName) (const void *);

#define INIT(library, prefix, function)                                        \
  int function (Context *context, const void *interface, const void *config,   \
                long flags, int version);                                      \
  int function (Context *context, const void *interface, const void *config,   \
                long flags, int version)                                       \
  {                                                                            \
    int (*real) (Context *, const void *, const void *, long, int)             \
        = find (library, #function);                                           \
    InterfaceName get_name                                                     \
        = (InterfaceName)find (library, prefix "_codec_iface_name");           \
    char text[16];                                                             \
    int result;                                                                \
                                                                               \
    describe (get_name (interface), text);                                     \
    WITHIN (text, result = real (context, interface, config, flags, version)); \
    return result;                                                             \
  }
INIT ("libvpx.so", "vpx", vpx_codec_enc_init_ver)
INIT ("libvpx.so", "vpx", vpx_codec_dec_init_ver)
INIT ("libaom.so", "aom", aom_codec_enc_init_ver)
INIT ("libaom.so", "aom", aom_codec_dec_init_ver)

int
vpx_codec_encode (Context *context, const void *image, long pts,
                  unsigned long duration, long flags, unsigned long deadline);
int
vpx_codec_encode (Context *context, const void *image, long pts,
                  unsigned long duration, long flags, unsigned long deadline)
{
  int (*real) (Context *, const void *, long, unsigned long, long,
               unsigned long)
      = find ("libvpx.so", "vpx_codec_encode");
  char text[16];
  int result;

  describe (context->name, text);
  WITHIN (text, result = real (context, image, pts, duration, flags, deadline));
  return result;
}

int vpx_codec_decode (Context *context, const void *data, unsigned size,
                      void *user, long deadline);
int
vpx_codec_decode (Context *context, const void *data, unsigned size, void *user,
                  long deadline)
{
  int (*real) (Context *, const void *, unsigned, void *, long)
      = find ("libvpx.so", "vpx_codec_decode");
  char text[16];
  int result;

  describe (context->name, text);
  WITHIN (text, result = real (context, data, size, user, deadline));
  return result;
}

int aom_codec_encode (Context *context, const void *image, long pts,
                      unsigned long duration, long flags);
int
aom_codec_encode (Context *context, const void *image, long pts,
                  unsigned long duration, long flags)
{
  int (*real) (Context *, const void *, long, unsigned long, long)
      = find ("libaom.so", "aom_codec_encode");
  char text[16];
  int result;

  describe (context->name, text);
  WITHIN (text, result = real (context, image, pts, duration, flags));
  return result;
}

int
aom_codec_decode (Context *context, const void *data, size_t size, void *user);
int
aom_codec_decode (Context *context, const void *data, size_t size, void *user)
{
  int (*real) (Context *, const void *, size_t, void *)
      = find ("libaom.so", "aom_codec_decode");
  char text[16];
  int result;

  describe (context->name, text);
  WITHIN (text, result = real (context, data, size, user));
  return result;
}
