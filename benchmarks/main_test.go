// SPDX-License-Identifier: Apache-2.0

// The tests are inside: there is nothing to import in a program.

package main

import (
	"io"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes everything small. Rows start this binary again, with arguments
// for the program and not for the tests.
func TestMain(m *testing.M) {
	many, atOnce, bulk, parked, idle = 500, 500, 5_000, 5_000, 100
	if slices.ContainsFunc([]string{"-parked", "-seat", "-here"}, func(s string) bool { return slices.Contains(os.Args, s) }) {
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
		{"-seat", "switch/2 threads"},
		{"-many", "0"},
	} {
		if err := run(args, io.Discard); err == nil {
			t.Errorf("run(%q) = nil, want an error", args)
		}
	}
}
