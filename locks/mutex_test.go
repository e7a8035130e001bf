// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"baton/locks"
	"baton/sim"
	"baton/task"
)

func TestUnlockOfFreeMutexPanics(t *testing.T) {
	var mu locks.Mutex
	panics(t, mu.Unlock, "not locked")
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		check(t, "Lock", mu.Lock(ctx))
		mu.Unlock()
		panics(t, mu.Unlock, "not locked")
	})
}

// The mutex knows its holder, even right after it has passed to a waiting task. Any task
// may unlock it.
func TestMutexKnowsItsHolder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var mu locks.Mutex
		if mu.Locked() || mu.Holder() != nil {
			t.Error("a new mutex is locked")
		}
		check(t, "Lock", mu.Lock(ctx))
		if !mu.Locked() || mu.Holder() != task.Self(ctx) {
			t.Errorf("Holder = %v, want %v", mu.Holder(), task.Self(ctx))
		}
		w := wait(ctx, mu.Lock)
		mu.Unlock()
		if mu.Holder() != &w.Ref {
			t.Errorf("Holder after Unlock = %v, want %v", mu.Holder(), &w.Ref)
		}
		mu.Unlock()
		if mu.Locked() {
			t.Error("Locked = true after another task called Unlock")
		}
	})
}

// Reports and deadlock errors name the holder.
func TestDeadlockNamesTheHolder(t *testing.T) {
	var mu locks.Mutex
	err := task.Run(context.Background(), func(ctx context.Context) error {
		task.Self(ctx).SetName("greedy")
		if err := mu.Lock(ctx); err != nil {
			return err
		}
		return mu.Lock(ctx)
	})
	var dead *task.DeadlockError
	if !errors.As(err, &dead) {
		t.Fatalf("Run = %v, want a deadlock", err)
	}
	w := dead.Waits[0]
	if w.Reason != "a mutex" || len(w.On) != 1 || !strings.Contains(w.On[0], "greedy") {
		t.Errorf("the wait is reported as %v", w)
	}
}

// Several loops may use a mutex, one after another.
func TestMutexInSeveralRuns(t *testing.T) {
	var mu locks.Mutex
	var holders []string
	for range 2 {
		err := task.Run(context.Background(), func(ctx context.Context) error {
			defer mu.Unlock()
			err := mu.Lock(ctx)
			holders = append(holders, mu.Holder().Loop().String())
			return err
		})
		check(t, "Run", err)
	}
	if len(slices.Compact(holders)) != 2 {
		t.Errorf("the loops were %v, want two", holders)
	}
}
