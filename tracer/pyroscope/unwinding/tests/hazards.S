/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that are hard to unwind from, each hard in one way. */

#if defined(__x86_64__)

        .text

.macro function name
        .globl \name
        .type \name, @function
        .balign 16
\name:
.endm

.macro end_function name
        .size \name, . - \name
.endm

/* void pyro_test_stepped_call (void (*func) (void *), void *argument) */
function pyro_test_stepped_call
        .cfi_startproc
        sub     $8, %rsp
        .cfi_def_cfa_offset 16
        mov     %rdi, %rax
        mov     %rsi, %rdi
        pushf
        .cfi_def_cfa_offset 24
        orl     $0x100, (%rsp)
        popf
        .cfi_def_cfa_offset 16
        nop
.Lnot_behind_a_call:
        call    *%rax
        pushf
        .cfi_def_cfa_offset 24
        andl    $~0x100, (%rsp)
        popf
        .cfi_def_cfa_offset 16
        add     $8, %rsp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
end_function pyro_test_stepped_call

/* From here on: no CFI. Some room, so that it is no padding. */
        .balign 16
        .skip 32, 0x90

function pyro_test_no_cfi_leaf
        xor     %eax, %eax
        inc     %eax
        ret
end_function pyro_test_no_cfi_leaf

/* Saves everything, uses rbp for data, has a large frame with zeroes, and with
 * pointers to code in it that are no return addresses. */
function pyro_test_no_cfi_large
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        sub     $0x1208, %rsp
        mov     %rsp, %rdi
        mov     $0x241, %ecx
        xor     %eax, %eax
        rep stosq
        .globl pyro_test_no_cfi_large_filled
pyro_test_no_cfi_large_filled:
        lea     .Lnot_behind_a_call(%rip), %rax
        mov     %rax, 8(%rsp)
        mov     %rax, 0x18(%rsp)
        mov     $-16, %rbp
        nop
        mov     $-8, %rbp
        nop
        xor     %ebp, %ebp
        nop
        mov     $3, %rbp
        nop
        lea     5(%rsp), %rbp
        nop
        add     $0x1208, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret
end_function pyro_test_no_cfi_large

function pyro_test_no_cfi_realigned
        push    %rbp
        mov     %rsp, %rax
        sub     $4, %rsp
        and     $-64, %rsp
        sub     $256, %rsp
        mov     %rax, %rdx
        mov     %rsp, %rdi
        mov     $40, %ecx /* with what the alignment skipped */
        xor     %eax, %eax
        sub     %rsp, %rdx
        shr     $3, %rdx
        cmp     %rdx, %rcx
        cmova   %rdx, %rcx
        lea     (%rsp, %rdx, 8), %rdx
        rep stosq
        .globl pyro_test_no_cfi_realigned_filled
pyro_test_no_cfi_realigned_filled:
        mov     %rdx, (%rsp)
        mov     $-16, %rbp
        nop
        mov     (%rsp), %rsp
        pop     %rbp
        ret
end_function pyro_test_no_cfi_realigned

/* Inner functions without CFI that call each other: the innermost caller with
 * CFI is found. */
function pyro_test_no_cfi_nested
        push    %rbx
        call    pyro_test_no_cfi_leaf
        pop     %rbx
        ret
end_function pyro_test_no_cfi_nested

        .skip 32, 0x90

/* With CFI, and rbp is data. */
function pyro_test_wild_frame_pointer
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     $-16, %rbp
        nop
        mov     $-8, %rbp
        nop
        xor     %ebp, %ebp
        nop
        mov     $0x7fffffffffffffff, %rbp
        nop
        lea     3(%rsp), %rbp
        nop
        lea     -64(%rsp), %rbp
        nop
        pop     %rbp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
end_function pyro_test_wild_frame_pointer

/* More than a row can say: 40 KiB. */
function pyro_test_large_frame
        .cfi_startproc
        sub     $0xa008, %rsp
        .cfi_def_cfa_offset 0xa010
        call    pyro_test_wild_frame_pointer
        add     $0xa008, %rsp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
end_function pyro_test_large_frame

/* Its last instruction is a call that does not come back here. The function
 * behind it begins at once and has another frame. */
function pyro_test_ends_in_call
        .cfi_startproc
        sub     $24, %rsp
        .cfi_def_cfa_offset 32
        call    pyro_test_leaves_for_good
        .cfi_endproc
end_function pyro_test_ends_in_call
        .type pyro_test_behind, @function
pyro_test_behind:
        .cfi_startproc
        .cfi_def_cfa_offset 128
        ret
        .cfi_endproc
end_function pyro_test_behind

function pyro_test_leaves_for_good
        .cfi_startproc
        nop
        add     $32, %rsp /* its return address, and its caller's frame */
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
end_function pyro_test_leaves_for_good

        .section .note.GNU-stack, "", @progbits
#endif
