// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func Line(p uintptr)
TEXT ·Line(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// A g has some 450 bytes. The functions between a park and the switch itself
// take about 200 bytes of stack below top.
//
// func Goroutine(gp, top uintptr)
TEXT ·Goroutine(SB), NOSPLIT, $0-16
	MOVD gp+0(FP), R0
	MOVD top+8(FP), R1
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	PRFM 128(R0), PLDL1KEEP
	PRFM 192(R0), PLDL1KEEP
	PRFM 256(R0), PLDL1KEEP
	PRFM 320(R0), PLDL1KEEP
	PRFM 384(R0), PLDL1KEEP
	SUB $192, R1
	PRFM (R1), PLDL1KEEP
	PRFM 64(R1), PLDL1KEEP
	PRFM 128(R1), PLDL1KEEP
	PRFM 192(R1), PLDL1KEEP
	PRFM 256(R1), PLDL1KEEP
	RET
