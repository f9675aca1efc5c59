/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handler-safe: no lock, no allocation, no system call, no libc, no TLS. */
/*
 * What: from a signal's ucontext to the registers that a walk starts from.
 * Owner: nothing is owned.
 * Threads: any; inline.
 */
#pragma once

#include <ucontext.h>

#include "unwind.h"

static inline void
pyro_registers_from_ucontext (PyroRegisters *regs, const ucontext_t *context)
{
#if defined(__x86_64__)
  const greg_t *gregs = context->uc_mcontext.gregs;

  regs->pc = (uintptr_t)gregs[REG_RIP];
  regs->sp = (uintptr_t)gregs[REG_RSP];
  regs->fp = (uintptr_t)gregs[REG_RBP];
  regs->lr = 0;
  regs->rbx = (uintptr_t)gregs[REG_RBX];
  regs->r12 = (uintptr_t)gregs[REG_R12];
  regs->r13 = (uintptr_t)gregs[REG_R13];
  regs->r14 = (uintptr_t)gregs[REG_R14];
  regs->r15 = (uintptr_t)gregs[REG_R15];
  regs->rax = (uintptr_t)gregs[REG_RAX];
  regs->rcx = (uintptr_t)gregs[REG_RCX];
  regs->rdx = (uintptr_t)gregs[REG_RDX];
  regs->rsi = (uintptr_t)gregs[REG_RSI];
  regs->rdi = (uintptr_t)gregs[REG_RDI];
  regs->r8 = (uintptr_t)gregs[REG_R8];
  regs->r9 = (uintptr_t)gregs[REG_R9];
  regs->r10 = (uintptr_t)gregs[REG_R10];
  regs->r11 = (uintptr_t)gregs[REG_R11];
#elif defined(__aarch64__)
  regs->pc = (uintptr_t)context->uc_mcontext.pc;
  regs->sp = (uintptr_t)context->uc_mcontext.sp;
  regs->fp = (uintptr_t)context->uc_mcontext.regs[29];
  regs->lr = (uintptr_t)context->uc_mcontext.regs[30];
#else
#error "The registers of this processor are not known here: add them."
#endif
}
