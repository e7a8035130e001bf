// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// R28 holds the g.
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET
