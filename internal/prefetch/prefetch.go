// SPDX-License-Identifier: Apache-2.0

// Package prefetch tells the processor which memory will be needed soon.
//
// Among ten thousand tasks a switch costs what it misses in the cache: the
// task, its worker, the goroutine's g and the top of its stack. The ready queue
// knows the next ones, so they can be on their way while others run. The row
// switch/10000 of the benchmarks is what it is for.
//
// An address is only a hint. Nothing is read from it, an address that has
// become stale is harmless, and where there is no assembly the hint is nothing.
package prefetch
