/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: which functions of the C library about signals go to wrappers of ours.
 * Owner: constants.
 * Threads: before the interposition is begun.
 */
#pragma once

void pyro_signal_imports_add (void);
