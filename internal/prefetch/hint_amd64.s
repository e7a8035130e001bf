// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func Line(p uintptr)
TEXT ·Line(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	PREFETCHT0 (AX)
	RET

// A g has some 450 bytes. The functions between a park and the switch itself
// take about 200 bytes of stack below top.
//
// func Goroutine(gp, top uintptr)
TEXT ·Goroutine(SB), NOSPLIT, $0-16
	MOVQ gp+0(FP), AX
	MOVQ top+8(FP), CX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	PREFETCHT0 192(AX)
	PREFETCHT0 256(AX)
	PREFETCHT0 320(AX)
	PREFETCHT0 384(AX)
	PREFETCHT0 -192(CX)
	PREFETCHT0 -128(CX)
	PREFETCHT0 -64(CX)
	PREFETCHT0 (CX)
	PREFETCHT0 64(CX)
	RET
