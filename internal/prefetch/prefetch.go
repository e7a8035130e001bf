// SPDX-License-Identifier: Apache-2.0

// Package prefetch asks the processor to load memory that will be needed soon.
//
// With ten thousand tasks, a switch costs mostly cache misses: for the task, its worker,
// the goroutine's g and the top of its stack. The ready queue knows which tasks come next,
// so their memory can be loaded while other tasks run. The benchmark switch/10000 measures
// this.
//
// An address is only a hint. Nothing is read from it, so a wrong address is harmless.
// Without an assembly implementation the functions do nothing.
package prefetch
