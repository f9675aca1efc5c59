/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: reads numbers from bytes that may be cut off or hostile.
 * Owner: nothing is owned; the bytes outlive the cursor.
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Once a read passes the end, BAD is set, and that read and all later ones
 * give 0. So a caller may check once after several reads. */
typedef struct {
  const uint8_t *at;
  const uint8_t *end;
  bool bad;
} PyroBytes;

static inline size_t
pyro_bytes_left (const PyroBytes *bytes)
{
  return (size_t)(bytes->end - bytes->at);
}

static inline bool
pyro_bytes_need (PyroBytes *bytes, uint64_t n)
{
  if (bytes->bad || pyro_bytes_left (bytes) < n) {
    bytes->bad = true;
    return false;
  }
  return true;
}

static inline uint64_t
pyro_bytes_uint (PyroBytes *bytes, unsigned size)
{
  uint64_t value = 0;

  if (!pyro_bytes_need (bytes, size))
    return 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy (&value, bytes->at, size);
#else
#error "Only little-endian processors are known here."
#endif
  bytes->at += size;
  return value;
}

static inline uint8_t
pyro_bytes_u8 (PyroBytes *bytes)
{
  if (bytes->bad || bytes->at == bytes->end) {
    bytes->bad = true;
    return 0;
  }
  return *bytes->at++;
}

/* DWARF 5, section 7.6. What does not fit into 64 bits is bad. */
static inline uint64_t
pyro_bytes_uleb (PyroBytes *bytes)
{
  uint64_t value = 0;
  unsigned shift = 0;
  uint8_t byte;

  do {
    byte = pyro_bytes_u8 (bytes);
    if (shift >= 64 || (shift == 63 && (byte & 0x7e) != 0)) {
      bytes->bad = true;
      return 0;
    }
    value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  return bytes->bad ? 0 : value;
}

static inline int64_t
pyro_bytes_sleb (PyroBytes *bytes)
{
  uint64_t value = 0;
  unsigned shift = 0;
  uint8_t byte;

  do {
    byte = pyro_bytes_u8 (bytes);
    if (shift >= 64) {
      bytes->bad = true;
      return 0;
    }
    value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  if (shift < 64 && (byte & 0x40))
    value |= UINT64_MAX << shift;
  return bytes->bad ? 0 : (int64_t)value;
}

/* N bytes as a cursor of their own. */
static inline PyroBytes
pyro_bytes_take (PyroBytes *bytes, uint64_t n)
{
  PyroBytes part = { NULL, NULL, true };

  if (!pyro_bytes_need (bytes, n))
    return part;
  part.at = bytes->at;
  part.end = bytes->at + n;
  part.bad = false;
  bytes->at += n;
  return part;
}
