// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"testing"

	"go.uber.org/goleak"

	"baton/examples/internal/programtest"
)

func TestMain(m *testing.M) {
	if programtest.IsProgram() {
		main()
	}
	goleak.VerifyTestMain(m)
}
