/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library whose functions the tests look for. The labels mark addresses;
 * they have no size, so they must never be used as names. The comments mark
 * lines. */
int sample_outer (int x);
int sample_other (int x);
int sample_calls_local (int x);

static inline __attribute__ ((always_inline)) int
sample_innermost (int x) /* innermost: start */
{
  __asm__ volatile("sample_inlined_point: nop"); /* innermost: label */
  return x * 3;
}

static inline __attribute__ ((always_inline)) int
sample_middle (int x) /* middle: start */
{
  return sample_innermost (x + 1) ^ 5; /* middle: call */
}

__attribute__ ((noinline)) int
sample_outer (int x) /* outer: start */
{
  __asm__ volatile("sample_outer_point: nop"); /* outer: label */
  return sample_middle (x) + 7;                /* outer: call */
}

__attribute__ ((noinline)) int
sample_other (int x)
{
  __asm__ volatile("nop");
  return x + 11;
}

static __attribute__ ((noinline)) int
sample_local (int x)
{
  __asm__ volatile("nop\nnop\nnop\nsample_local_point: nop");
  return x - 1;
}

int
sample_calls_local (int x)
{
  return sample_local (x) + sample_local (x + 1);
}
