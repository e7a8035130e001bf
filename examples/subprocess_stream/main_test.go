// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"testing"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The output shows both programs.
func TestOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("the output is\n%s", out.String())
	}
}
