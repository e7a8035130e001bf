// SPDX-License-Identifier: Apache-2.0

package goroutines_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton/examples/compare/proxy"
	"baton/examples/compare/proxy/goroutines"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const timeout = time.Hour

func newPool() goroutines.Pool {
	return goroutines.NewPool([]string{"a", "b"}, proxy.Config{MaxConns: 1, WaitTimeout: timeout, Fall: 2, Rise: 2})
}

// take takes a slot, and fails the test if it is not a slot of the backend want.
func take(t *testing.T, p goroutines.Pool, want string) (release func()) {
	t.Helper()
	got, release := p.Acquire(t.Context())
	if got != want {
		t.Errorf("Acquire = %q, want %q", got, want)
	}
	return release
}

// Waiting connections get slots in the order in which they came. A wait ends exactly after the
// timeout.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		release := take(t, p, "a")
		began := time.Now()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			release := take(t, p, "b")
			if took := time.Since(began); took != timeout-1 {
				t.Errorf("the first one waits for %v", took)
			}
			<-time.After(3)
			release()
		})
		<-time.After(1)
		waiting.Go(func() {
			got, _ := p.Acquire(t.Context())
			if took := time.Since(began); got != "" || took != timeout+1 || p.Stats().TimedOut != 1 {
				t.Errorf("the second one waits for %v and gets %q; %+v", took, got, p.Stats())
			}
		})
		<-time.After(timeout - 2)
		release()
		waiting.Wait()
		take(t, p, "a")()
	})
}

// A slot that becomes free at the moment at which a wait ends is not lost. Which of the two comes
// first is random, so the test repeats this.
func TestWaitRace(t *testing.T) {
	for range 1000 {
		synctest.Test(t, func(t *testing.T) {
			p := newPool()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			time.AfterFunc(timeout, take(t, p, "a"))
			if _, release := p.Acquire(ctx); release != nil {
				release()
			}
			synctest.Wait()
			ctx, cancel = context.WithTimeout(t.Context(), 1)
			defer cancel()
			if got, _ := p.Acquire(ctx); got == "" {
				t.Error("the slot is lost")
			}
		})
	}
}

// Connections wait until a backend is healthy.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		for i := range 2 {
			p.Checked(i, false)
			p.Checked(i, false)
		}
		var waiting sync.WaitGroup
		waiting.Go(func() { take(t, p, "b") })
		synctest.Wait()
		p.Checked(0, true)
		p.Checked(1, true)
		p.Checked(0, false)
		p.Checked(0, true) // the second success, but not in a row
		p.Checked(1, true)
		waiting.Wait()
	})
}
