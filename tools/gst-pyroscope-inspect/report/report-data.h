/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: profiles as the data of the report's page: compact JSON in which no
 * name can be taken for HTML.
 * Owner: all is borrowed.
 * Threads: main only; standard output.
 *
 * { "title", "version", "profiles": [ {
 *   "types": [ { "type", "unit" } ], "type": index of the one to show first,
 *   "files", "time" (ns, a string), "duration" (ns),
 *   "names": [ of frames ],
 *   "parent": [ for each node but the root, 0: its number less its parent's ],
 *   "name": [ for each node but the root: number of its name ],
 *   "labels": [ { "key", "values": [ texts ], "value": [ for each row ] } ],
 *   "captures": [ [ begin, length ] in ms, of UNIX time ], in their order,
 *   "capture": [ for each row: number of the capture ],
 *   "leaf": [ for each row: node ],
 *   "values": [ for each type, [ for each row ] ] } ] }
 */
#pragma once

#include "../input.h"

G_BEGIN_DECLS

void pyro_report_data_write (const PyroInput *input, const gchar *title,
                             const gchar *type);

G_END_DECLS
