// SPDX-License-Identifier: Apache-2.0

//go:build ppc64 || ppc64le

#include "textflag.h"

// R30 holds the g.
//
// func G() uintptr
TEXT ·G(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET
