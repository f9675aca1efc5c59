/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the report's page, made at build time, in two parts; the data goes
 * between them.
 * Owner: constants.
 * Threads: constants.
 */
#pragma once

/* NULL: the tool was built without it (meson's option "report"). */
extern const char *const pyro_report_page_head;
extern const char *const pyro_report_page_tail;
