/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the checks of the table's string settings (see PyroSettingCheck).
 * Owner: none; they replace *TEXT by a normalized one.
 * Threads: any.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* An http or https URL, or empty. Blanks and '/' at the end are cut off, a
 * missing scheme becomes http:// (with a note). User info stays in. */
gboolean pyro_check_url (gchar **text, gchar **note, gchar **why);

/* A label value that is not empty. */
gboolean pyro_check_service_name (gchar **text, gchar **note, gchar **why);

/* A path, made absolute, or empty. Nothing is looked up. */
gboolean pyro_check_directory (gchar **text, gchar **note, gchar **why);

/* Such paths with ':' between them. */
gboolean pyro_check_directories (gchar **text, gchar **note, gchar **why);

/* A file's mode, in octal, that its owner may read by. */
gboolean pyro_check_mode (gchar **text, gchar **note, gchar **why);

/* A path, of a file that this process may read. */
gboolean pyro_check_file (gchar **text, gchar **note, gchar **why);

/* Parts of an HTTP header. They never say what was in the text. */
gboolean pyro_check_user (gchar **text, gchar **note, gchar **why);
gboolean pyro_check_password (gchar **text, gchar **note, gchar **why);
gboolean pyro_check_token (gchar **text, gchar **note, gchar **why);

/* Splits "http://USER:PASSWORD@HOST/..." (as pyro_check_url() leaves it): the
 * user info is cut out of *URL and returned, decoded, in *USER and *PASSWORD
 * (transfer full, "" where there is none). FALSE: there is no user info. */
gboolean pyro_url_take_userinfo (gchar **url, gchar **user, gchar **password);

/* URL for a message: what stands before '@' and after '?' or '#' is masked,
 * also where it is no URL at all. Transfer full. */
gchar *pyro_url_mask (const gchar *url);

/* TEXT has a control character (C0 or DEL), which no header may have. */
gboolean pyro_has_control (const gchar *text);

G_END_DECLS
