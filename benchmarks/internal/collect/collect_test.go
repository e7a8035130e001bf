// SPDX-License-Identifier: Apache-2.0

package collect_test

import (
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/benchmarks/internal/collect"
)

// The answer to each line comes after the garbage has been freed.
func TestForEachLine(t *testing.T) {
	gone := make(chan struct{})
	runtime.AddCleanup(new([4096]byte), func(struct{}) { close(gone) }, struct{}{})
	var out strings.Builder
	collect.ForEachLine(strings.NewReader("now\nagain\n"), &out)
	if got, want := out.String(), "collected\ncollected\n"; got != want {
		t.Errorf("answered %q, want %q", got, want)
	}
	<-gone
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
