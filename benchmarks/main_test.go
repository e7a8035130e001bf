// SPDX-License-Identifier: Apache-2.0

// The tests belong to the package, because a program cannot be imported.

package main

import (
	"io"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the sizes of all rows small. Rows start this binary again with arguments for the
// program instead of the tests.
func TestMain(m *testing.M) {
	many, atOnce, bulk, parked, idle = 500, 500, 5_000, 5_000, 100
	if slices.ContainsFunc([]string{"-parked", "-side", "-here"}, func(s string) bool { return slices.Contains(os.Args, s) }) {
		main()
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := removePrograms(); err != nil && code == 0 {
			code = 1
		}
		os.Exit(code)
	}))
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "4"},
		{"-run", "("},
		{"-parked", "threads"},
		{"-cpuprofile", "unused"},
		{"-fresh", "-here"},
		{"-side", "switch/2 threads"},
		{"-many", "0"},
	} {
		if err := run(args, io.Discard); err == nil {
			t.Errorf("run(%q) = nil, want an error", args)
		}
	}
}
