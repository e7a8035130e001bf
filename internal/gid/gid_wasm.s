// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The g is a WebAssembly global, one for all: there is one thread.
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET
