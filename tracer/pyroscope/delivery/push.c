/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "push.h"
#include "kernel-clock.h"
#include "network.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000L
#define POLL_MS 100
/* An answer is empty or a short message; more is not a Pyroscope server. */
#define MAX_ANSWER_BYTES (64 * 1024)

typedef struct {
  CURL *easy;
  struct curl_slist *headers;
  GString *answer;
  gsize header_bytes;
  gboolean too_much;
  char error[CURL_ERROR_SIZE];
} Transfer;

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

/* Nothing of ours is open in the programs that the application starts. */
static curl_socket_t
open_socket (void *user_data, curlsocktype purpose,
             struct curl_sockaddr *address)
{
  int fd = socket (address->family, address->socktype | SOCK_CLOEXEC,
                   address->protocol);

  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static gboolean
transfer_init (Transfer *transfer, const PyroPushTarget *target, GBytes *body,
               guint timeout_ms)
{
  gsize length;
  const void *data = g_bytes_get_data (body, &length);
  CURL *easy = curl_easy_init ();

  memset (transfer, 0, sizeof *transfer);
  transfer->easy = easy;
  transfer->answer = g_string_new (NULL);
  if (easy == NULL)
    return FALSE;

  for (guint i = 0; target->headers[i] != NULL; i++)
    transfer->headers
        = curl_slist_append (transfer->headers, target->headers[i]);

  curl_easy_setopt (easy, CURLOPT_URL, target->url);
  curl_easy_setopt (easy, CURLOPT_POST, 1L);
  curl_easy_setopt (easy, CURLOPT_POSTFIELDS, data);
  curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
  curl_easy_setopt (easy, CURLOPT_HTTPHEADER, transfer->headers);
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

  /* No signal handlers of the application's are touched. */
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
  curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt (easy, CURLOPT_FORBID_REUSE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Else the end of a transfer waits for a name server that does not answer. */
  curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
#endif

  curl_easy_setopt (easy, CURLOPT_PROXY, target->proxy);
  curl_easy_setopt (easy, CURLOPT_NOPROXY, target->no_proxy);
  if (target->ca_file != NULL)
    curl_easy_setopt (easy, CURLOPT_CAINFO, target->ca_file);
  if (target->user != NULL || target->password != NULL) {
    curl_easy_setopt (easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt (easy, CURLOPT_USERNAME, target->user ? target->user : "");
    curl_easy_setopt (easy, CURLOPT_PASSWORD,
                      target->password ? target->password : "");
  }
  return TRUE;
}

static void
transfer_clear (Transfer *transfer)
{
  curl_easy_cleanup (transfer->easy);
  curl_slist_free_all (transfer->headers);
  g_string_free (transfer->answer, TRUE);
}

/* Runs the transfer to its end or TICK's time: then CURLE_ABORTED_BY_CALLBACK.
 * A multi handle only because curl_easy_perform() looks at its progress
 * callback no more than once a second. FALSE: libcurl may not be used any more,
 * not even to clean up. */
static gboolean
perform (Transfer *transfer, PyroPushTick tick, gpointer user_data,
         CURLcode *result)
{
  CURLM *multi = curl_multi_init ();
  int running = 1;

  if (multi == NULL
      || curl_multi_add_handle (multi, transfer->easy) != CURLM_OK)
    goto out;

  while (TRUE) {
    gint64 left;
    int n_messages;
    CURLMsg *message;

    if (curl_multi_perform (multi, &running) != CURLM_OK)
      break;
    message = curl_multi_info_read (multi, &n_messages);
    if (message != NULL && message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      break;
    }
    /* It encodes profiles and writes files: nothing that exit() waits for. */
    pyro_network_end ();
    left = tick (user_data) - pyro_clock_monotonic ();
    if (!pyro_network_begin (NULL))
      return FALSE;
    if (left <= 0) {
      *result = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
    if (curl_multi_poll (multi, NULL, 0, (int)MIN (left / 1000 + 1, POLL_MS),
                         NULL)
        != CURLM_OK)
      break;
  }
  curl_multi_remove_handle (multi, transfer->easy);

out:
  curl_multi_cleanup (multi);
  return TRUE;
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
    outcome->may_retry = TRUE;
    curl_easy_getinfo (transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    outcome->retry_after = MAX (retry_after, 0);
  }
}

static gboolean
sent_all_of_it (Transfer *transfer, GBytes *body)
{
  curl_off_t sent = 0;

  curl_easy_getinfo (transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  return sent >= (curl_off_t)g_bytes_get_size (body);
}

static void
read_failure (Transfer *transfer, const PyroPushTarget *target, CURLcode result,
              GBytes *body, PyroPushOutcome *outcome)
{
  g_autofree gchar *clean = NULL;
  long code = 0;

  switch (result) {
  case CURLE_ABORTED_BY_CALLBACK:
    outcome->status = PYRO_PUSH_ABORTED;
    break;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
    outcome->status = PYRO_PUSH_UNTRUSTED;
    break;
  case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: no HTTP at all */
  case CURLE_WEIRD_SERVER_REPLY:
    outcome->status = PYRO_PUSH_WRONG_URL;
    break;
  case CURLE_OPERATION_TIMEDOUT:
    outcome->status = PYRO_PUSH_UNREACHABLE;
    outcome->may_retry = !sent_all_of_it (transfer, body);
    break;
  default:
    outcome->status = PYRO_PUSH_UNREACHABLE;
    outcome->may_retry = TRUE;
    break;
  }

  curl_easy_getinfo (transfer->easy, CURLINFO_OS_ERRNO, &code);
  if (result == CURLE_ABORTED_BY_CALLBACK) {
    outcome->reason = g_strdup ("no answer yet");
  } else if (result == CURLE_COULDNT_CONNECT && code != 0) {
    outcome->reason = g_ascii_strdown (g_strerror ((int)code), -1);
  } else {
    clean = pyro_push_target_clean (target, transfer->error[0] != '\0'
                                                ? transfer->error
                                                : curl_easy_strerror (result));
    outcome->reason = g_steal_pointer (&clean);
  }
}

void
pyro_push_send (const PyroPushTarget *target, GBytes *body, guint timeout_ms,
                PyroPushTick tick, gpointer user_data, PyroPushOutcome *outcome)
{
  Transfer transfer;
  CURLcode result = CURLE_FAILED_INIT;
  const gchar *reason;
  long code = 0;

  memset (outcome, 0, sizeof *outcome);
  pyro_network_start ();
  if (!pyro_network_begin (&reason)) {
    outcome->status = PYRO_PUSH_UNREACHABLE;
    outcome->reason = g_strdup (reason);
    return;
  }

  if (transfer_init (&transfer, target, body, timeout_ms)) {
    if (!perform (&transfer, tick, user_data, &result)) {
      outcome->status = PYRO_PUSH_ABORTED;
      outcome->reason = g_strdup ("no answer yet");
      return;
    }
    if (result == CURLE_OK || transfer.too_much)
      curl_easy_getinfo (transfer.easy, CURLINFO_RESPONSE_CODE, &code);
  }
  if (code != 0)
    read_answer (&transfer, target, code, outcome);
  else
    read_failure (&transfer, target, result, body, outcome);
  transfer_clear (&transfer);
  pyro_network_end ();
  if (code != 0)
    pyro_network_was_used ();
}
