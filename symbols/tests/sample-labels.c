/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A symbol table as compilers and people make them: mangled names, several
 * names for one place, functions inside functions, labels without a size.
 * Sixteen bytes each; no instruction is ever executed. */
#define FUNCTION(name, binding, type)                                  \
  __asm__(".text\n.balign 16\n" binding " \"" name "\"\n.type \"" name \
          "\", %" type "\n\"" name "\": .skip 16\n.size \"" name "\", 16\n")

/* Another name for the sixteen bytes that end here. */
#define ALIAS(name, binding)                                        \
  __asm__(".text\n" binding " \"" name "\"\n.type \"" name          \
          "\", %function\n.set \"" name "\", . - 16\n.size \"" name \
          "\", 16\n")

FUNCTION ("_ZN6sample6Widget4drawEi", ".globl", "function");
FUNCTION ("_ZN6sample6thread3run17h0123456789abcdefE", ".globl", "function");
FUNCTION ("_RNvNtC6sample6thread4join", ".globl", "function");
FUNCTION ("_Znot_mangled", ".globl", "function");

FUNCTION ("local_alias", ".local", "function");
ALIAS ("exported_alias", ".globl");

FUNCTION ("__implementation_alias", ".globl", "function");
ALIAS ("plain_alias", ".weak");

FUNCTION ("untyped_with_size", ".globl", "notype");
FUNCTION ("data_in_text", ".globl", "object");

__asm__(".text\n.balign 16\n"
        "zero_sized: .globl zero_sized\n.skip 16\nafter_zero_sized:\n");

/* A function with another one inside. */
__asm__(".text\n.balign 16\n.globl around\n.type around, %function\n"
        "around: .skip 8\n"
        ".globl inside\n.type inside, %function\n"
        "inside: .skip 8\n.size inside, 8\n"
        "behind_inside: .skip 16\n.size around, 32\n");
