// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The output has four measurements of pipes, and then four of sockets.
func TestOutput(t *testing.T) {
	*megabytes = 1
	var out bytes.Buffer
	if err := task.Run(context.Background(), func(ctx context.Context) error { return run(ctx, &out) }); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, name := range []string{"bench_pipes", "bench_sockets"} {
		for _, buffers := range []string{"5 buffers by 0.20 MB", "102 buffers by 0.01 MB"} {
			for _, how := range []string{"in one call", "in a call each"} {
				fmt.Fprintf(&want, `%s: %s \(%s\): \d+\.\d\d seconds \(\d+ MB/sec\)`+"\n", name, buffers, how)
			}
		}
	}
	if !regexp.MustCompile("^" + want.String() + "$").Match(out.Bytes()) {
		t.Errorf("the output is\n%s", out.String())
	}
}
