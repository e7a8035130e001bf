// SPDX-License-Identifier: Apache-2.0

//go:build mips64 || mips64le

#include "textflag.h"

// R30 holds the g.
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-8
	MOVV g, ret+0(FP)
	RET
