/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push.h"
#include "kernel-clock.h"
#include "network.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000L
#define POLL_MS 100
/* An answer is empty or a short message; more is not a Pyroscope server. */
#define MAX_ANSWER_BYTES (64 * 1024)

/* A name with several addresses may have two connections under way. */
#define MAX_SOCKETS 8

typedef struct {
  int fd; /* -1: none */
  dev_t device;
  ino_t inode;
} OwnSocket;

struct _PyroPushLink {
  PyroPushTarget *target;
  CURLSH *share; /* has the connection between two pushes; or NULL */
  OwnSocket sockets[MAX_SOCKETS];
};

typedef struct {
  PyroPushLink *link;
  CURL *easy;
  CURLM *multi;
  struct curl_slist *headers;
  GString *answer;
  gsize header_bytes;
  gboolean too_much;
  char error[CURL_ERROR_SIZE];
} Transfer;

/* What libcurl may not touch any more, not even to free it. Leak checkers find
 * it here. */
static GSList *abandoned;

void
pyro_push_outcome_clear (PyroPushOutcome *outcome)
{
  g_clear_pointer (&outcome->reason, g_free);
}

static size_t
on_body (char *data, size_t size, size_t n, void *user_data)
{
  Transfer *transfer = user_data;
  gsize length = size * n;
  gsize room = MAX_ANSWER_BYTES - transfer->answer->len;

  g_string_append_len (transfer->answer, data, MIN (length, room));
  if (length > room) {
    transfer->too_much = TRUE;
    return 0; /* ends the transfer: CURLE_WRITE_ERROR */
  }
  return length;
}

/* libcurl keeps headers in memory, however many. */
static size_t
on_header (char *data, size_t size, size_t n, void *user_data)
{
  Transfer *transfer = user_data;

  transfer->header_bytes += size * n;
  if (transfer->header_bytes > MAX_ANSWER_BYTES) {
    transfer->too_much = TRUE;
    return 0;
  }
  return size * n;
}

/* ------------------------------------------------------- the connection -- */

/* The application may close every descriptor at any time and get our number
 * for one of its own, which nothing of ours may reach. */
static gboolean
is_still_ours (const OwnSocket *own)
{
  struct stat now;

  return fstat (own->fd, &now) == 0 && now.st_dev == own->device
         && now.st_ino == own->inode;
}

static gboolean
has_lost_a_socket (const PyroPushLink *link)
{
  for (guint i = 0; i < MAX_SOCKETS; i++) {
    if (link->sockets[i].fd >= 0 && !is_still_ours (&link->sockets[i]))
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_a_socket (const PyroPushLink *link)
{
  for (guint i = 0; i < MAX_SOCKETS; i++) {
    if (link->sockets[i].fd >= 0)
      return TRUE;
  }
  return FALSE;
}

/* Nothing of ours is open in the programs that the application starts. */
static curl_socket_t
open_socket (void *user_data, curlsocktype purpose,
             struct curl_sockaddr *address)
{
  PyroPushLink *link = user_data;
  int fd = socket (address->family, address->socktype | SOCK_CLOEXEC,
                   address->protocol);
  struct stat now;

  if (fd < 0)
    return CURL_SOCKET_BAD;
  for (guint i = 0; i < MAX_SOCKETS; i++) {
    if (link->sockets[i].fd >= 0 || fstat (fd, &now) != 0)
      continue;
    link->sockets[i].device = now.st_dev;
    link->sockets[i].inode = now.st_ino;
    link->sockets[i].fd = fd;
    return fd;
  }
  close (fd);
  return CURL_SOCKET_BAD;
}

static int
close_socket (void *user_data, curl_socket_t fd)
{
  PyroPushLink *link = user_data;

  for (guint i = 0; i < MAX_SOCKETS; i++) {
    OwnSocket own = link->sockets[i];

    if (own.fd != fd)
      continue;
    link->sockets[i].fd = -1;
    return is_still_ours (&own) ? close (fd) : 0;
  }
  return 0;
}

static void
forget_sockets (PyroPushLink *link)
{
  for (guint i = 0; i < MAX_SOCKETS; i++)
    link->sockets[i].fd = -1;
}

PyroPushLink *
pyro_push_link_new (PyroPushTarget *target)
{
  PyroPushLink *link = g_new0 (PyroPushLink, 1);

  link->target = target;
  forget_sockets (link);
  return link;
}

/* The end of a connection writes to its descriptor, and the end of a look-up
 * waits for a name server: where neither may be, all stays as it is. */
static void
abandon (PyroPushLink *link, CURL *easy, CURLM *multi)
{
  if (easy != NULL)
    abandoned = g_slist_prepend (abandoned, easy);
  if (multi != NULL)
    abandoned = g_slist_prepend (abandoned, multi);
  if (link->share != NULL)
    abandoned = g_slist_prepend (abandoned, link->share);
  link->share = NULL;
  forget_sockets (link);
}

/* Between pyro_network_begin() and _end(). */
static void
prepare_share (PyroPushLink *link)
{
  if (has_lost_a_socket (link))
    abandon (link, NULL, NULL);
  if (link->share != NULL)
    return;
  link->share = curl_share_init ();
  if (link->share == NULL)
    return;
  /* No locks: there is one thread. */
  curl_share_setopt (link->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
  curl_share_setopt (link->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

void
pyro_push_link_free (PyroPushLink *link)
{
  if (link == NULL)
    return;
  if (link->share != NULL && pyro_network_begin (NULL)) {
    if (has_lost_a_socket (link))
      abandon (link, NULL, NULL);
    else
      curl_share_cleanup (link->share);
    pyro_network_end ();
  } else if (link->share != NULL) {
    /* Its callbacks have the link. */
    abandoned = g_slist_prepend (abandoned, link);
    return;
  }
  g_free (link);
}

void
pyro_push_link_fork_child (PyroPushLink *link)
{
  for (guint i = 0; i < MAX_SOCKETS; i++) {
    OwnSocket own = link->sockets[i];

    link->sockets[i].fd = -1;
    if (own.fd >= 0 && is_still_ours (&own))
      close (own.fd);
  }
}

/* --------------------------------------------------------- one transfer -- */

static void
set_identity (Transfer *transfer, const PyroPushTarget *target)
{
  CURL *easy = transfer->easy;

  for (guint i = 0; target->headers[i] != NULL; i++)
    transfer->headers
        = curl_slist_append (transfer->headers, target->headers[i]);
  curl_easy_setopt (easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt (easy, CURLOPT_PROXY, target->proxy);
  curl_easy_setopt (easy, CURLOPT_NOPROXY, target->no_proxy);
  if (target->ca_file != NULL)
    curl_easy_setopt (easy, CURLOPT_CAINFO, target->ca_file);
  if (target->client_cert_file != NULL)
    curl_easy_setopt (easy, CURLOPT_SSLCERT, target->client_cert_file);
  if (target->client_key_file != NULL)
    curl_easy_setopt (easy, CURLOPT_SSLKEY, target->client_key_file);
  if (target->user != NULL || target->password != NULL) {
    curl_easy_setopt (easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt (easy, CURLOPT_USERNAME, target->user ? target->user : "");
    curl_easy_setopt (easy, CURLOPT_PASSWORD,
                      target->password ? target->password : "");
  }
}

static gboolean
transfer_init (Transfer *transfer, PyroPushLink *link, GBytes *body,
               guint timeout_ms)
{
  gsize length;
  const void *data = g_bytes_get_data (body, &length);
  const PyroPushTarget *target = link->target;
  CURL *easy = curl_easy_init ();

  memset (transfer, 0, sizeof *transfer);
  transfer->link = link;
  transfer->easy = easy;
  transfer->answer = g_string_new (NULL);
  if (easy == NULL)
    return FALSE;

  set_identity (transfer, target);
  curl_easy_setopt (easy, CURLOPT_SHARE, link->share);

  curl_easy_setopt (easy, CURLOPT_URL, target->url);
  curl_easy_setopt (easy, CURLOPT_POST, 1L);
  curl_easy_setopt (easy, CURLOPT_POSTFIELDS, data);
  curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
  curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS,
                    (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif

  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt (easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt (easy, CURLOPT_OPENSOCKETDATA, link);
  curl_easy_setopt (easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  curl_easy_setopt (easy, CURLOPT_CLOSESOCKETDATA, link);

  /* No signal handlers of the application's are touched. */
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
  curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Else the end of a transfer waits for a name server that does not answer. */
  curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  return TRUE;
}

static void
transfer_clear (Transfer *transfer)
{
  if (transfer->easy != NULL)
    curl_easy_cleanup (transfer->easy);
  curl_slist_free_all (transfer->headers);
  g_string_free (transfer->answer, TRUE);
}

typedef enum {
  OVER,      /* the result is known */
  TIME_OVER, /* TICK's time has come */
  LEFT,      /* libcurl may not be used for this transfer, nor for its end */
} End;

/* A multi handle only because curl_easy_perform() looks at its progress
 * callback no more than once a second. It has descriptors of its own, so it
 * lives as short as it can. */
static End
perform (Transfer *transfer, PyroPushTick tick, gpointer user_data,
         CURLcode *result)
{
  PyroPushLink *link = transfer->link;
  CURLM *multi = transfer->multi;
  int running = 1;

  while (TRUE) {
    gint64 left;
    int n_messages;
    CURLMsg *message;

    if (curl_multi_perform (multi, &running) != CURLM_OK)
      return OVER;
    message = curl_multi_info_read (multi, &n_messages);
    if (message != NULL && message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return OVER;
    }
    pyro_network_end ();
    left = tick (user_data) - pyro_clock_monotonic ();
    if (!pyro_network_begin (NULL))
      return LEFT;
    if (left <= 0)
      return TIME_OVER;
    if (curl_multi_poll (multi, NULL, 0, (int)MIN (left / 1000 + 1, POLL_MS),
                         NULL)
        != CURLM_OK)
      return OVER;
    if (has_lost_a_socket (link)) {
      pyro_network_end ();
      return LEFT;
    }
  }
}

/* The string value of "message" in the Connect protocol's error, a flat JSON
 * object; else the text itself. (transfer full) */
static gchar *
answer_text (const GString *answer)
{
  g_autoptr (GRegex) regex = g_regex_new (
      "\"message\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*+)\"", 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree gchar *valid = g_utf8_make_valid (answer->str, answer->len);

  if (valid[0] == '{' && g_regex_match (regex, valid, 0, &match)) {
    g_autofree gchar *escaped = g_match_info_fetch (match, 1);

    return g_strcompress (escaped);
  }
  /* A proxy's or router's page says nothing in its first lines. */
  if (valid[0] == '<')
    valid[0] = '\0';
  return g_steal_pointer (&valid);
}

static PyroPushStatus
classify_http (long code)
{
  if (code >= 200 && code < 300)
    return PYRO_PUSH_TAKEN;
  if (code >= 300 && code < 400)
    return PYRO_PUSH_WRONG_URL;
  switch (code) {
  case 401:
  case 403:
  case 407:
    return PYRO_PUSH_AUTH;
  case 404:
  case 405:
  case 415:
  case 501:
    return PYRO_PUSH_WRONG_URL;
  case 408:
  case 425:
  case 429:
  case 499:
    return PYRO_PUSH_BUSY;
  default:
    return code >= 500 ? PYRO_PUSH_BUSY : PYRO_PUSH_REJECTED;
  }
}

/* A login page or a router's front page says 200 to anything. */
static gboolean
is_push_answer (Transfer *transfer)
{
  char *type = NULL;

  if (transfer->too_much)
    return FALSE;
  if (transfer->answer->len == 0 || strcmp (transfer->answer->str, "{}") == 0)
    return TRUE;
  curl_easy_getinfo (transfer->easy, CURLINFO_CONTENT_TYPE, &type);
  return type != NULL
         && (g_str_has_prefix (type, "application/proto")
             || g_str_has_prefix (type, "application/json"));
}

static void
read_answer (Transfer *transfer, const PyroPushTarget *target, long code,
             PyroPushOutcome *outcome)
{
  g_autofree gchar *text = answer_text (transfer->answer);
  g_autofree gchar *clean = pyro_push_target_clean (target, text);
  curl_off_t retry_after = 0;
  char *location = NULL;

  outcome->status = classify_http (code);
  if (outcome->status == PYRO_PUSH_TAKEN) {
    if (is_push_answer (transfer))
      return;
    outcome->status = PYRO_PUSH_WRONG_URL;
    outcome->reason = g_strdup_printf (
        "%ld, but with an answer that is not a Pyroscope server's", code);
    return;
  }

  curl_easy_getinfo (transfer->easy, CURLINFO_REDIRECT_URL, &location);
  if (code >= 300 && code < 400 && location != NULL) {
    g_autofree gchar *to = pyro_push_target_display_url (location);

    outcome->reason = g_strdup_printf (
        "%ld redirects to %s, which is not followed", code, to);
  } else if (clean[0] != '\0') {
    outcome->reason = g_strdup_printf ("%ld %s", code, clean);
  } else {
    outcome->reason = g_strdup_printf ("status %ld", code);
  }

  if (outcome->status == PYRO_PUSH_BUSY) {
    curl_easy_getinfo (transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    outcome->retry_after = MAX (retry_after, 0);
  }
}

static void
read_failure (Transfer *transfer, const PyroPushTarget *target, CURLcode result,
              PyroPushOutcome *outcome)
{
  g_autofree gchar *clean = NULL;
  long code = 0;

  switch (result) {
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_CERTPROBLEM:
    outcome->status = PYRO_PUSH_UNTRUSTED;
    break;
  case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: no HTTP at all */
  case CURLE_WEIRD_SERVER_REPLY:
    outcome->status = PYRO_PUSH_WRONG_URL;
    break;
  default:
    outcome->status = PYRO_PUSH_UNREACHABLE;
    break;
  }

  curl_easy_getinfo (transfer->easy, CURLINFO_OS_ERRNO, &code);
  if (result == CURLE_COULDNT_CONNECT && code != 0) {
    outcome->reason = g_ascii_strdown (g_strerror ((int)code), -1);
  } else {
    clean = pyro_push_target_clean (target, transfer->error[0] != '\0'
                                                ? transfer->error
                                                : curl_easy_strerror (result));
    outcome->reason = g_steal_pointer (&clean);
  }
}

static void
set_failure (PyroPushOutcome *outcome, PyroPushStatus status,
             const gchar *reason)
{
  outcome->status = status;
  outcome->reason = g_strdup (reason);
}

static void
read_result (Transfer *transfer, CURLcode result, PyroPushOutcome *outcome)
{
  const PyroPushTarget *target = transfer->link->target;
  long code = 0;

  if (result == CURLE_OK || transfer->too_much)
    curl_easy_getinfo (transfer->easy, CURLINFO_RESPONSE_CODE, &code);
  outcome->http_status = (guint)code;
  if (code != 0)
    read_answer (transfer, target, code, outcome);
  else
    read_failure (transfer, target, result, outcome);
}

/* FALSE: libcurl may not be used any more; the lock is gone. */
static gboolean
run_transfer (Transfer *transfer, PyroPushTick tick, gpointer user_data,
              PyroPushOutcome *outcome)
{
  PyroPushLink *link = transfer->link;
  CURLcode result = CURLE_FAILED_INIT;
  End end = OVER;

  transfer->multi = curl_multi_init ();
  if (transfer->multi != NULL
      && curl_multi_add_handle (transfer->multi, transfer->easy) == CURLM_OK)
    end = perform (transfer, tick, user_data, &result);
  switch (end) {
  case OVER:
    read_result (transfer, result, outcome);
    break;
  case TIME_OVER:
    set_failure (outcome, PYRO_PUSH_ABORTED, "no answer yet");
    if (has_a_socket (link))
      break;
    pyro_network_end (); /* a name server is still waited for */
    abandon (link, transfer->easy, transfer->multi);
    return FALSE;
  case LEFT:
    if (has_lost_a_socket (link))
      set_failure (outcome, PYRO_PUSH_UNREACHABLE,
                   "the application closed the connection's descriptor");
    else
      set_failure (outcome, PYRO_PUSH_ABORTED, "no answer yet");
    abandon (link, transfer->easy, transfer->multi);
    return FALSE;
  }
  if (transfer->multi != NULL) {
    curl_multi_remove_handle (transfer->multi, transfer->easy);
    curl_multi_cleanup (transfer->multi);
  }
  return TRUE;
}

void
pyro_push_send (PyroPushLink *link, GBytes *body, guint timeout_ms,
                PyroPushTick tick, gpointer user_data, PyroPushOutcome *outcome)
{
  Transfer transfer;
  const gchar *reason;

  memset (outcome, 0, sizeof *outcome);
  pyro_network_start ();
  if (!pyro_network_begin (&reason)) {
    set_failure (outcome, PYRO_PUSH_UNREACHABLE, reason);
    return;
  }
  prepare_share (link);
  if (!transfer_init (&transfer, link, body, timeout_ms))
    read_failure (&transfer, link->target, CURLE_FAILED_INIT, outcome);
  else if (!run_transfer (&transfer, tick, user_data, outcome))
    return; /* with what it has allocated */
  transfer_clear (&transfer);
  pyro_network_end ();
  if (outcome->http_status != 0)
    pyro_network_was_used ();
}
