/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library that is loaded, used, replaced and unloaded. */

__attribute__ ((visibility ("default"))) unsigned long
hazard_module_work (unsigned long rounds);

unsigned long
hazard_module_work (unsigned long rounds)
{
  volatile unsigned long sum = 0;

  for (unsigned long i = 0; i < rounds; i++)
    sum += i ^ sum >> 3;
  return sum;
}
