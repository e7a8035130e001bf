// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// go vet finds copies of each type that must not be copied.
func TestVetFindsCopies(t *testing.T) {
	out, err := exec.Command("go", "vet", "-copylocks", "./testdata/copies").CombinedOutput()
	if err == nil {
		t.Fatal("go vet found no copies")
	}
	var found []string
	for _, match := range regexp.MustCompile(`copies.go:\d+:\d+: .*?: baton/(\w+\.\w+)`).FindAllSubmatch(out, -1) {
		found = append(found, string(match[1]))
	}
	want := []string{
		"task.WaitQueue", "task.Future",
		"locks.Mutex", "locks.Event", "locks.Cond", "locks.Semaphore", "locks.Limiter", "locks.Barrier", "locks.Queue",
	}
	if !slices.Equal(found, want) {
		t.Errorf("go vet finds copies of %v, want %v; it says\n%s", found, want, out)
	}
}
