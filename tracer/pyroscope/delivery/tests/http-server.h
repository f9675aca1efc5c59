/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: a small HTTP/1.1 server on the loopback interface that misbehaves as
 * told. For tests only.
 * Owner: the server owns its threads, its sockets and the requests it keeps.
 * Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _HttpServer HttpServer;

typedef enum {
  HTTP_ANSWER,  /* and keeps the connection; nothing else does */
  HTTP_HANG,    /* reads the request and never answers */
  HTTP_CUT,     /* reads the request and closes */
  HTTP_RESET,   /* reads the request and resets the connection */
  HTTP_RAW,     /* sends body as it is, without a status line */
  HTTP_DRIBBLE, /* a header byte every 50 ms, for ever */
  HTTP_ENDLESS, /* 200 and a body that does not end */
  HTTP_HEADERS, /* 200 and headers that do not end */
} HttpBehaviour;

typedef struct {
  HttpBehaviour behaviour;
  guint status;
  const gchar *headers; /* "Name: value\r\n" lines, or NULL */
  const gchar *body;    /* or NULL */
} HttpReply;

typedef struct {
  gchar *method;
  gchar *path;
  GHashTable *headers; /* names in lower case */
  guint n_repeated;    /* headers that came twice */
  GBytes *body;
} HttpRequest;

HttpServer *http_server_new (void);
/* On that port, as one that was there before. */
HttpServer *http_server_new_at (guint port);
void http_server_free (HttpServer *server);
guint http_server_get_port (HttpServer *server);
guint http_server_get_n_connections (HttpServer *server);

/* The n-th request gets the n-th of REPLIES, which are borrowed; the last one
 * is for all that follow. */
void http_server_set_replies (HttpServer *server, const HttpReply *replies,
                              guint n_replies);

guint http_server_get_n_requests (HttpServer *server);
/* Valid as long as the server. */
const HttpRequest *http_server_get_request (HttpServer *server, guint index);
/* FALSE: they have not come within 10 s. */
gboolean http_server_wait (HttpServer *server, guint n_requests);

G_END_DECLS
