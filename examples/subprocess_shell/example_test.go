// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The child writes two lines to its standard output and one to its standard error.
func Example() {
	*command, *blocks = "wc -c | tr -d ' '; echo complaint >&2; echo done", 2
	fmt.Println(task.Run(context.Background(), func(ctx context.Context) error {
		var out bytes.Buffer
		err := run(ctx, &out)
		// The order of lines from different pipes is random, so the lines are sorted here.
		for _, what := range []string{"sending", "received", "ERROR", "exit"} {
			for line := range strings.Lines(out.String()) {
				if strings.HasPrefix(line, what) {
					fmt.Fprint(os.Stdout, line)
				}
			}
		}
		return err
	}))
	// Output:
	// sending 3600 bytes
	// sending 3600 bytes
	// received "7200"
	// received "done"
	// ERROR "complaint"
	// exit code: 0
	// <nil>
}

// The writer waits until the child reads.
func TestWriterWaitsForChild(t *testing.T) {
	*command, *blocks = "sleep 1; wc -c", 100
	var out bytes.Buffer
	if err := task.Run(context.Background(), func(ctx context.Context) error { return run(ctx, &out) }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "writing was paused for") || !strings.Contains(out.String(), "360000\"\n") {
		t.Errorf("the output is\n%s", out.String())
	}
}
