// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/task"
)

// single is an executor for one function. It closes returned when the function has ended.
type single struct{ returned chan struct{} }

func (s *single) Submit(fn func()) (cancel func() bool) {
	go func() {
		defer close(s.returned)
		fn()
	}()
	return func() bool { return false }
}

func (s *single) Close(time.Duration) (left int) {
	<-s.returned
	return 0
}

// behindCallback is an Order. While armed is true, it holds back every step until a
// callback has run: the callback of the function's end.
type behindCallback struct {
	armed    bool
	returned <-chan struct{}
}

func (o *behindCallback) Arrange(batch []loop.Entry) (held int) {
	if !o.armed {
		return 0
	}
	<-o.returned
	slices.SortStableFunc(batch, func(a, b loop.Entry) int {
		switch {
		case a.Step == b.Step:
			return 0
		case b.Step:
			return -1
		}
		return 1
	})
	callbacks := 0
	for callbacks < len(batch) && !batch[callbacks].Step {
		callbacks++
	}
	o.armed = callbacks == 0
	return len(batch) - callbacks
}

// The abandoned function ends before the next step of the task that abandoned it. The end
// must not wake that task.
func TestAbandonedFunctionEndsBeforeTheTaskRuns(t *testing.T) {
	returned := make(chan struct{})
	order := &behindCallback{returned: returned}
	l, err := loop.New(loop.Config{Order: order, Executor: &single{returned}})
	check(t, "New", err)
	l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Errorf("unexpected exception: %v", e) })
	check(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
		release := make(chan struct{})
		disposed := make(chan int, 1)
		left := task.Start(ctx, func(ctx context.Context) (int, error) {
			return await.Abandon(ctx, func(context.Context) (int, error) {
				<-release
				return 7, nil
			}, func(v int, _ error) { disposed <- v })
		})
		check(t, "Yield", task.Yield(ctx)) // the function has begun
		left.Cancel(nil)
		close(release)
		order.armed = true
		if _, err := left.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Abandon = %v, want canceled", err)
		}
		if order.armed {
			t.Error("the task ran before the callback of the function's end")
		}
		if v := <-disposed; v != 7 {
			t.Errorf("dispose received %d, want 7", v)
		}
		return nil
	}))
	check(t, "Close", l.Close())
}

// If the loop no longer runs, the panic of an abandoned function is logged.
func TestPanicOfAbandonedFunctionIsLoggedAfterTheLoop(t *testing.T) {
	var printed bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&printed)
	returned := make(chan struct{})
	cfg := loop.Config{Executor: &single{returned}}
	check(t, "Run", task.Runner{Config: cfg}.Run(context.Background(), func(ctx context.Context) error {
		release := make(chan struct{})
		left := task.Start(ctx, func(ctx context.Context) (int, error) {
			return await.Abandon(ctx, func(context.Context) (int, error) {
				<-release
				panic("late")
			}, nil)
		})
		check(t, "Yield", task.Yield(ctx)) // the function has begun
		left.Cancel(nil)
		if _, err := left.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Abandon = %v, want canceled", err)
		}
		close(release)
		<-returned
		return nil
	}))
	if want := "await: an abandoned function panicked: late\n"; !strings.Contains(printed.String(), want) {
		t.Errorf("the log does not contain %q:\n%s", want, printed.String())
	}
}
