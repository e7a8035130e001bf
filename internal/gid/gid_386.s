// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The g is in thread-local storage; the assembler spells out how each
// operating system reaches it.
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-4
	MOVL (TLS), AX
	MOVL AX, ret+0(FP)
	RET
