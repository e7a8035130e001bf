// SPDX-License-Identifier: Apache-2.0

//go:build !race

package epoll

// Without the race detector these functions do nothing.

func kernelWrote([]byte) {}
func kernelRead([]byte)  {}
