/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http-server.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

struct _HttpServer {
  GSocket *listener;
  GCancellable *end;
  GThread *thread;
  guint port;

  GMutex lock;
  GCond changed;
  const HttpReply *replies;
  guint n_replies;
  GPtrArray *requests;
  GPtrArray *threads;
  gint n_connections; /* atomic */
};

typedef struct {
  HttpServer *server;
  GSocket *socket;
} Connection;

static void
request_free (gpointer data)
{
  HttpRequest *request = data;

  g_free (request->method);
  g_free (request->path);
  g_hash_table_unref (request->headers);
  g_bytes_unref (request->body);
  g_free (request);
}

static gboolean
receive_more (Connection *c, GString *buffer)
{
  gchar part[16384];
  gssize n
      = g_socket_receive (c->socket, part, sizeof part, c->server->end, NULL);

  if (n <= 0)
    return FALSE;
  g_string_append_len (buffer, part, n);
  return TRUE;
}

static HttpRequest *
receive_request (Connection *c)
{
  g_autoptr (GString) buffer = g_string_new (NULL);
  HttpRequest *request;
  const gchar *end;
  g_autofree gchar *head = NULL;
  g_auto (GStrv) lines = NULL;
  g_auto (GStrv) words = NULL;
  gsize body_start, length = 0;
  const gchar *length_text;

  while ((end = strstr (buffer->str, "\r\n\r\n")) == NULL) {
    if (!receive_more (c, buffer))
      return NULL;
  }
  body_start = end + 4 - buffer->str;
  head = g_strndup (buffer->str, end - buffer->str);
  lines = g_strsplit (head, "\r\n", -1);
  words = g_strsplit (lines[0], " ", 3);

  request = g_new0 (HttpRequest, 1);
  request->method = g_strdup (words[0]);
  request->path = g_strdup (words[1]);
  request->headers
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 1; lines[i] != NULL; i++) {
    const gchar *colon = strchr (lines[i], ':');
    gchar *name = g_ascii_strdown (lines[i], colon - lines[i]);
    gchar *value = g_strstrip (g_strdup (colon + 1));

    if (!g_hash_table_insert (request->headers, name, value))
      request->n_repeated++;
  }

  length_text = g_hash_table_lookup (request->headers, "content-length");
  if (length_text != NULL)
    length = g_ascii_strtoull (length_text, NULL, 10);
  while (buffer->len - body_start < length && receive_more (c, buffer))
    continue;
  request->body
      = g_bytes_new (buffer->str + body_start, buffer->len - body_start);
  return request;
}

static gboolean
send_all (Connection *c, const gchar *data, gsize length)
{
  while (length > 0) {
    gssize n = g_socket_send (c->socket, data, length, c->server->end, NULL);

    if (n <= 0)
      return FALSE;
    data += n;
    length -= n;
  }
  return TRUE;
}

static void
send_answer (Connection *c, const HttpReply *reply)
{
  const gchar *body = reply->body ? reply->body : "";
  g_autofree gchar *text = g_strdup_printf (
      "HTTP/1.1 %u Test\r\nContent-Length: %zu\r\n%s\r\n%s", reply->status,
      strlen (body), reply->headers ? reply->headers : "", body);

  send_all (c, text, strlen (text));
}

static void
send_for_ever (Connection *c, const gchar *start, const gchar *rest,
               gulong pause_us)
{
  gboolean going = send_all (c, start, strlen (start));

  while (going && !g_cancellable_is_cancelled (c->server->end)) {
    going = send_all (c, rest, strlen (rest));
    g_usleep (pause_us);
  }
}

static void
behave (Connection *c, const HttpReply *reply)
{
  static const struct linger at_once = { 1, 0 };
  gchar unused;

  switch (reply->behaviour) {
  case HTTP_ANSWER:
    send_answer (c, reply);
    break;
  case HTTP_HANG:
    g_socket_receive (c->socket, &unused, 1, c->server->end, NULL);
    break;
  case HTTP_CUT:
    break;
  case HTTP_RESET:
    setsockopt (g_socket_get_fd (c->socket), SOL_SOCKET, SO_LINGER, &at_once,
                sizeof at_once);
    break;
  case HTTP_RAW:
    send_all (c, reply->body, strlen (reply->body));
    break;
  case HTTP_DRIBBLE:
    send_for_ever (c, "HTTP/1.1 200 OK\r\nX: ", "x", 50000);
    break;
  case HTTP_ENDLESS:
    send_for_ever (c, "HTTP/1.1 200 OK\r\n\r\n",
                   "a line of 32 bytes, more or less\n", 0);
    break;
  case HTTP_HEADERS:
    send_for_ever (c, "HTTP/1.1 200 OK\r\n",
                   "X-Header: a line of 32 bytes, more or less\r\n", 0);
    break;
  }
}

static gpointer
serve_connection (gpointer data)
{
  Connection *c = data;
  HttpServer *server = c->server;
  HttpRequest *request;
  gboolean keeps = TRUE;

  g_atomic_int_inc (&server->n_connections);
  while (keeps && (request = receive_request (c)) != NULL) {
    const HttpReply *reply;

    g_mutex_lock (&server->lock);
    g_ptr_array_add (server->requests, request);
    reply
        = &server->replies[MIN (server->requests->len, server->n_replies) - 1];
    g_cond_broadcast (&server->changed);
    g_mutex_unlock (&server->lock);
    behave (c, reply);
    keeps = reply->behaviour == HTTP_ANSWER;
  }
  g_socket_close (c->socket, NULL);
  g_object_unref (c->socket);
  g_free (c);
  return NULL;
}

static gpointer
accept_connections (gpointer data)
{
  HttpServer *server = data;
  GSocket *socket;

  while ((socket = g_socket_accept (server->listener, server->end, NULL))) {
    Connection *c = g_new0 (Connection, 1);

    c->server = server;
    c->socket = socket;
    g_mutex_lock (&server->lock);
    g_ptr_array_add (server->threads,
                     g_thread_new ("http", serve_connection, c));
    g_mutex_unlock (&server->lock);
  }
  return NULL;
}

HttpServer *
http_server_new (void)
{
  return http_server_new_at (0);
}

HttpServer *
http_server_new_at (guint port)
{
  static const HttpReply ok = { HTTP_ANSWER, 200 };
  HttpServer *server = g_new0 (HttpServer, 1);
  g_autoptr (GInetAddress) loopback
      = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any
      = g_inet_socket_address_new (loopback, (guint16)port);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GError) error = NULL;

  server->end = g_cancellable_new ();
  server->replies = &ok;
  server->n_replies = 1;
  server->requests = g_ptr_array_new_with_free_func (request_free);
  server->threads = g_ptr_array_new ();
  server->listener = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                   G_SOCKET_PROTOCOL_TCP, &error);
  g_assert_no_error (error);
  g_socket_bind (server->listener, any, TRUE, &error);
  g_assert_no_error (error);
  g_socket_listen (server->listener, &error);
  g_assert_no_error (error);
  bound = g_socket_get_local_address (server->listener, &error);
  g_assert_no_error (error);
  server->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  server->thread = g_thread_new ("accept", accept_connections, server);
  return server;
}

void
http_server_free (HttpServer *server)
{
  g_cancellable_cancel (server->end);
  g_thread_join (server->thread);
  for (guint i = 0; i < server->threads->len; i++)
    g_thread_join (server->threads->pdata[i]);
  g_socket_close (server->listener, NULL);
  g_object_unref (server->listener);
  g_object_unref (server->end);
  g_ptr_array_unref (server->threads);
  g_ptr_array_unref (server->requests);
  g_mutex_clear (&server->lock);
  g_cond_clear (&server->changed);
  g_free (server);
}

guint
http_server_get_port (HttpServer *server)
{
  return server->port;
}

guint
http_server_get_n_connections (HttpServer *server)
{
  return (guint)g_atomic_int_get (&server->n_connections);
}

void
http_server_set_replies (HttpServer *server, const HttpReply *replies,
                         guint n_replies)
{
  g_mutex_lock (&server->lock);
  server->replies = replies;
  server->n_replies = n_replies;
  g_mutex_unlock (&server->lock);
}

guint
http_server_get_n_requests (HttpServer *server)
{
  guint n;

  g_mutex_lock (&server->lock);
  n = server->requests->len;
  g_mutex_unlock (&server->lock);
  return n;
}

const HttpRequest *
http_server_get_request (HttpServer *server, guint index)
{
  const HttpRequest *request;

  g_mutex_lock (&server->lock);
  g_assert_cmpuint (index, <, server->requests->len);
  request = server->requests->pdata[index];
  g_mutex_unlock (&server->lock);
  return request;
}

gboolean
http_server_wait (HttpServer *server, guint n_requests)
{
  gint64 end = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  gboolean come = TRUE;

  g_mutex_lock (&server->lock);
  while (server->requests->len < n_requests && come)
    come = g_cond_wait_until (&server->changed, &server->lock, end);
  come = server->requests->len >= n_requests;
  g_mutex_unlock (&server->lock);
  return come;
}
