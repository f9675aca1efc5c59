/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: whether a test is compiled with AddressSanitizer, which GCC and clang
 *   tell in different ways.
 * Owner: nobody. Threads: any.
 */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define PYRO_TEST_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PYRO_TEST_HAS_ASAN 1
#endif
#endif
#ifndef PYRO_TEST_HAS_ASAN
#define PYRO_TEST_HAS_ASAN 0
#endif
