/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report-page.h"

#include <stddef.h>

const char *const pyro_report_page_head = NULL;
const char *const pyro_report_page_tail = NULL;
