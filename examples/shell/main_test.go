// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The output shows all three programs.
func TestOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	*timeout = time.Millisecond
	var out bytes.Buffer
	if err := task.Run(context.Background(), func(ctx context.Context) error { return run(ctx, &out) }); err != nil {
		t.Fatal(err)
	}
	want := `^pid: \d+
cat write: "Hello World!"
cat read: "Hello World!"
\(exit code 0\)
ls>> one
ls>> two
timeout! \(1ms\)
$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("the output is\n%s", out.String())
	}
}

// A program that ends within the time limit is not killed.
func TestCallOfFastProgram(t *testing.T) {
	var out strings.Builder
	err := task.Run(context.Background(), func(ctx context.Context) error {
		return call(ctx, &out, time.Minute, "sh", "-c", "exit 3")
	})
	if err != nil || out.String() != "sh -c exit 3: exit code 3\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
