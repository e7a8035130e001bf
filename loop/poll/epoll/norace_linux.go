// SPDX-License-Identifier: Apache-2.0

//go:build !race

package epoll

// Without the race detector there is nobody to tell.

func kernelWrote([]byte) {}
func kernelRead([]byte)  {}
