// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/sim"
	"baton/task"
)

// worlds runs a test in a simulated world and in the real one.
func worlds(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Run("sim", func(t *testing.T) { sim.Test(t, fn) })
	t.Run("real", func(t *testing.T) {
		check(t, "Run", task.Run(context.Background(), func(ctx context.Context) error {
			fn(ctx, t)
			return nil
		}))
	})
}

// TestBlocking: other tasks run while the function does.
func TestBlocking(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		released := make(chan struct{})
		task.Go(ctx, func(ctx context.Context) error {
			close(released) // only now can the function end
			return nil
		})
		v, err := await.Blocking(ctx, func(ctx context.Context) (int, error) {
			<-released
			if loop.Current() != nil {
				t.Error("the function holds a baton")
			}
			return 42, ctx.Err()
		})
		check(t, "Blocking", err)
		if v != 42 {
			t.Errorf("Blocking = %d, want 42", v)
		}
		if v, err := await.Blocking(ctx, func(context.Context) (int, error) { return 7, errBody }); v != 7 || err != errBody {
			t.Errorf("Blocking = %d, %v, want both", v, err)
		}
	})
}

// TestBlockingCancel: the function is told, with the right error and cause, and
// waited for.
func TestBlockingCancel(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		cause := errors.New("enough")
		began := make(chan struct{})
		var v int
		var err error
		waiting := task.Start(ctx, func(ctx context.Context) (int, error) {
			v, err = await.Blocking(ctx, func(ctx context.Context) (int, error) {
				close(began)
				<-ctx.Done()
				return 42, context.Cause(ctx)
			})
			return v, err
		})
		_, _, e := await.Receive(ctx, began)
		check(t, "Receive", e)
		waiting.Cancel(cause)
		waiting.Await(ctx)
		if v != 42 || err != cause {
			t.Errorf("Blocking = %d, %v, want 42 and the cause", v, err)
		}
	})
}

// TestBlockingDeadline: a timeout of the loop's clock reaches the function as one
// of the standard library would.
func TestBlockingDeadline(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		err := await.Timeout(ctx, 0, func(ctx context.Context) error {
			_, err := await.Blocking(ctx, func(context.Context) (int, error) {
				t.Error("a function began after the cancel")
				return 0, nil
			})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Blocking = %v, want deadline exceeded", err)
		}
	})
	check(t, "Run", task.Run(context.Background(), func(ctx context.Context) error {
		err := await.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
			_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Blocking = %v, want deadline exceeded", err)
		}
		return nil
	}))
}

// TestBlockingQueued: a function that the executor has not begun is dropped.
func TestBlockingQueued(t *testing.T) {
	leave := make(chan struct{})
	runner := task.Runner{Config: loop.Config{MaxJobs: 1}}
	err := runner.Run(context.Background(), func(ctx context.Context) error {
		began := make(chan struct{})
		first := task.Start(ctx, func(ctx context.Context) (bool, error) {
			return await.Blocking(ctx, func(context.Context) (bool, error) {
				close(began)
				<-leave
				return true, nil
			})
		})
		await.Receive(ctx, began)
		second := task.Start(ctx, func(ctx context.Context) (bool, error) {
			return await.Blocking(ctx, func(context.Context) (bool, error) {
				t.Error("a dropped function runs")
				return true, nil
			})
		})
		check(t, "Sleep", await.Sleep(ctx, 0))
		second.Cancel(nil)
		if _, err := second.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Blocking = %v, want canceled", err)
		}
		close(leave)
		_, err := first.Await(ctx)
		return err
	})
	check(t, "Run", err)
}

// TestBlockingContext: the function's context is not the task's: with it nothing
// that switches can be called. Its values are.
func TestBlockingContext(t *testing.T) {
	type key struct{}
	worlds(t, func(ctx context.Context, t *testing.T) {
		var lent context.Context
		_, err := await.Blocking(context.WithValue(ctx, key{}, 1), func(ctx context.Context) (int, error) {
			lent = ctx
			panics(t, func() { await.Sleep(ctx, 0) }, "use a Portal")
			if ctx.Value(key{}) != 1 {
				t.Error("the values of the context are gone")
			}
			return 0, ctx.Err()
		})
		check(t, "Blocking", err)
		if lent.Err() == nil {
			t.Error("the context has outlived the call")
		}
	})
}

// TestBlockingPanic: a panic goes on in the task, with the stack of the function.
func TestBlockingPanic(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		defer func() {
			p, ok := recover().(*task.PanicError)
			if !ok || !errors.Is(p, errBody) || len(p.Stack) == 0 {
				t.Errorf("the panic is %v", p)
			}
		}()
		await.Blocking(ctx, func(context.Context) (int, error) { panic(errBody) })
		t.Error("Blocking returned")
	})
}

// TestBlockingGoexit: Goexit goes on in the task, and nothing hangs.
func TestBlockingGoexit(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		returned := false
		err := task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				_, err := await.Blocking(ctx, func(context.Context) (int, error) {
					runtime.Goexit()
					return 0, nil
				})
				returned = true
				return err
			})
			return nil
		})
		if !errors.Is(err, task.ErrGoexit) || returned {
			t.Errorf("Scope = %v, Blocking returned: %v", err, returned)
		}
	})
}

// TestAbandon: a cancel ends the wait at once; the result of the function that
// goes on is disposed of, and its panic reported.
func TestAbandon(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		for _, fails := range []bool{false, true} {
			began, leave, disposed := make(chan struct{}), make(chan struct{}), make(chan int, 1)
			task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { disposed <- len(e.Stack) })
			waiting := task.Start(ctx, func(ctx context.Context) (int, error) {
				return await.Abandon(ctx, func(ctx context.Context) (int, error) {
					close(began)
					<-leave
					if fails {
						panic("late")
					}
					return 42, ctx.Err()
				}, func(v int, err error) {
					if v != 42 || !errors.Is(err, context.Canceled) {
						t.Errorf("to dispose of: %d, %v", v, err)
					}
					disposed <- v
				})
			})
			await.Receive(ctx, began)
			waiting.Cancel(nil)
			if _, err := waiting.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Abandon = %v, want canceled", err)
			}
			close(leave)
			if v, _, err := await.Receive(ctx, disposed); err != nil || v == 0 {
				t.Errorf("disposed of %d, %v", v, err)
			}
		}
		v, err := await.Abandon(ctx, func(context.Context) (int, error) { return 1, errBody }, nil)
		if v != 1 || err != errBody {
			t.Errorf("Abandon = %d, %v without a cancel", v, err)
		}
	})
}

// TestAbandonForGood: nobody waits for a function that was left alone and does not
// end: a deadlock beside it is one, and the end of the loop is no failure.
func TestAbandonForGood(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	err := task.Runner{Config: loop.Config{Drain: time.Hour}}.Run(context.Background(), func(ctx context.Context) error {
		began := make(chan struct{})
		reader := task.Start(ctx, func(ctx context.Context) (int, error) {
			return await.Abandon(ctx, func(context.Context) (int, error) {
				close(began)
				<-never
				return 0, nil
			}, nil)
		})
		await.Receive(ctx, began)
		reader.Cancel(nil)
		if _, err := reader.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Abandon = %v, want canceled", err)
		}
		var deadlock *task.DeadlockError
		var q task.WaitQueue
		if err := q.Wait(ctx, task.Text("nothing")); !errors.As(err, &deadlock) {
			t.Errorf("Wait = %v, want a deadlock", err)
		}
		return nil
	})
	var deadlock *task.DeadlockError
	if err != nil && !errors.As(err, &deadlock) {
		t.Errorf("Run = %v", err)
	}
}

// TestBlockingStandardContext: cancels of the standard library count as well,
// even between the call and its parking.
func TestBlockingStandardContext(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		for range 20 {
			std, cancel := context.WithCancel(ctx)
			began := make(chan struct{})
			go func() {
				<-began
				cancel()
			}()
			_, err := await.Blocking(std, func(ctx context.Context) (int, error) {
				close(began)
				<-ctx.Done()
				return 0, ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Blocking = %v, want canceled", err)
			}
		}
	})
}

// A fickle context is cancelled by another goroutine right after the first look
// at it: between a call's checkpoint and its parking.
type fickle struct {
	context.Context
	looks int
}

func (f *fickle) Err() error {
	if f.looks++; f.looks == 1 {
		return nil
	}
	return context.Canceled
}

// An eager executor begins everything at once and takes nothing back.
type eager struct{ running sync.WaitGroup }

func (e *eager) Submit(fn func()) func() bool {
	e.running.Go(fn)
	return func() bool { return false }
}

func (e *eager) Close(time.Duration) int {
	e.running.Wait()
	return 0
}

// TestBlockingFickleContext: a function that has begun is waited for in that case
// as well, or abandoned.
func TestBlockingFickleContext(t *testing.T) {
	leave := make(chan struct{})
	fn := func(context.Context) (int, error) {
		<-leave
		return 42, nil
	}
	runner := task.Runner{Config: loop.Config{Executor: &eager{}}}
	err := runner.Run(context.Background(), func(ctx context.Context) error {
		disposed := make(chan int, 1)
		v, err := await.Abandon(&fickle{Context: ctx}, fn, func(v int, _ error) { disposed <- v })
		if v != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("Abandon = %d, %v, want canceled", v, err)
		}
		task.Go(ctx, func(context.Context) error {
			close(leave)
			return nil
		})
		if v, err := await.Blocking(&fickle{Context: ctx}, fn); v != 42 || err != nil {
			t.Errorf("Blocking = %d, %v, want 42", v, err)
		}
		if v, _, err := await.Receive(ctx, disposed); v != 42 || err != nil {
			t.Errorf("disposed of %d, %v, want 42", v, err)
		}
		return nil
	})
	check(t, "Run", err)
}
