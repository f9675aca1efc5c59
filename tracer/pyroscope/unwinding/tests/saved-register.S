/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module by itself, since its tables carry the callee-saved registers: the
 * CFA of one function is in rbx while others use rbx for data. */

        .text

        .globl pyro_test_cfa_by_rbx
        .type pyro_test_cfa_by_rbx, @function
        .balign 16
pyro_test_cfa_by_rbx:
        .cfi_startproc
        push    %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        mov     %rsp, %rbx
        .cfi_def_cfa_register %rbx
        sub     $256, %rsp
        and     $-64, %rsp
        call    saves_rbx
        call    keeps_rbx
        .rept 64
        nop
        .endr
        mov     %rbx, %rsp
        .cfi_def_cfa_register %rsp
        pop     %rbx
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size pyro_test_cfa_by_rbx, . - pyro_test_cfa_by_rbx

        .type saves_rbx, @function
        .balign 16
saves_rbx:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        push    %rbx
        .cfi_def_cfa_offset 24
        .cfi_offset %rbx, -24
        xor     %ebx, %ebx
        lea     8(%rsp), %rbp
        call    keeps_rbx
        mov     %rsp, %rbx
        nop
        pop     %rbx
        .cfi_def_cfa_offset 16
        pop     %rbp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size saves_rbx, . - saves_rbx

        .type keeps_rbx, @function
        .balign 16
keeps_rbx:
        .cfi_startproc
        sub     $24, %rsp
        .cfi_def_cfa_offset 32
        nop
        add     $24, %rsp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size keeps_rbx, . - keeps_rbx

        .section .note.GNU-stack, "", @progbits
