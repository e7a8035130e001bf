// SPDX-License-Identifier: Apache-2.0

package gid_test

import (
	"iter"
	"runtime"
	"sync"
	"testing"

	"baton/internal/gid"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Under js the runtime has its own goroutine for the host's events.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

func TestGIsNeverZero(t *testing.T) {
	if gid.G() == 0 {
		t.Error("G() = 0, want an address")
	}
}

// TestGStaysTheSame runs each case on the test's goroutine, whose stack may be large
// already, and on a new goroutine, whose stack is small.
func TestGStaysTheSame(t *testing.T) {
	cases := []struct {
		name    string
		between func()
	}{
		{"nothing", func() {}},
		{"gosched", runtime.Gosched},
		{"gc", runtime.GC},
		{"stack growth", func() { deep(4096) }},
		{"stack growth and shrinking", func() { deep(4096); runtime.GC(); runtime.GC() }},
		{"parked on a channel", func() {
			woken := make(chan struct{})
			go close(woken)
			<-woken
		}},
		{"locked to a thread", func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			runtime.Gosched()
		}},
		{"recovered panic", func() {
			defer func() { _ = recover() }()
			panic("recovered at once")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			check := func(where string) {
				before := gid.G()
				c.between()
				if after := gid.G(); after != before {
					t.Errorf("on %s goroutine G() was %#x, then %#x", where, before, after)
				}
			}
			check("the test's")
			done := make(chan struct{})
			go func() { defer close(done); check("a fresh") }()
			<-done
		})
	}
}

// deep uses about 256 bytes of stack per level, so that a stack of 2 KiB moves several
// times. It returns G at the deepest level.
func deep(levels int) uintptr {
	var frame [256]byte
	if levels == 0 {
		return gid.G()
	}
	frame[levels%len(frame)] = 1
	return deep(levels-1) + uintptr(frame[(levels+1)%len(frame)])
}

func TestGStaysTheSameOnDeepStack(t *testing.T) {
	got := make(chan [2]uintptr)
	go func() { got <- [2]uintptr{gid.G(), deep(4096)} }()
	if g := <-got; g[0] != g[1] {
		t.Errorf("G() = %#x at the top of the stack, %#x at its bottom", g[0], g[1])
	}
}

func TestLiveGoroutinesHaveDifferentG(t *testing.T) {
	const goroutines = 10
	var (
		got  = make(chan uintptr)
		end  = make(chan struct{}) // keeps all goroutines alive until all have answered
		join sync.WaitGroup
	)
	for range goroutines {
		join.Go(func() {
			got <- gid.G()
			<-end
		})
	}
	seen := map[uintptr]bool{gid.G(): true}
	for range goroutines {
		g := <-got
		if seen[g] {
			t.Errorf("two live goroutines have G() = %#x", g)
		}
		seen[g] = true
	}
	close(end)
	join.Wait()
}

// The two sides of iter.Pull are two goroutines, although they switch without the
// scheduler.
func TestCoroutineHasItsOwnG(t *testing.T) {
	next, stop := iter.Pull(iter.Seq[uintptr](func(yield func(uintptr) bool) {
		for yield(gid.G()) {
		}
	}))
	defer stop()

	caller := gid.G()
	first, _ := next()
	second, _ := next()
	if first == caller {
		t.Errorf("coroutine and caller both have G() = %#x", caller)
	}
	if first != second {
		t.Errorf("coroutine had G() = %#x, then %#x", first, second)
	}
	if g := gid.G(); g != caller {
		t.Errorf("caller had G() = %#x, then %#x", caller, g)
	}
}

func TestGDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { gid.G() }); n != 0 {
		t.Errorf("G allocates %v times, want 0", n)
	}
}

func BenchmarkG(b *testing.B) {
	want := gid.G()
	for b.Loop() {
		if gid.G() != want {
			b.Fatal("G changed")
		}
	}
}
