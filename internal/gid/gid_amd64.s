// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The g is read from thread-local storage: R14 holds it too, but only in
// functions of the internal ABI, which assembly outside the runtime is not.
// The assembler spells out how each operating system reaches (TLS).
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET
