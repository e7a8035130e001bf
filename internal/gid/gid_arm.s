// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// R10 holds the g.
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-4
	MOVW g, ret+0(FP)
	RET
