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

// Other tasks run while the function runs.
func TestBlockingLetsOtherTasksRun(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		released := make(chan struct{})
		task.Go(ctx, func(ctx context.Context) error {
			close(released) // the function waits for this
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
			t.Errorf("Blocking = %d, %v, want 7, %v", v, err, errBody)
		}
	})
}

// A cancel reaches the ctx of the function, with its cause. Blocking waits for the
// function.
func TestBlockingWaitsForCancelledFunction(t *testing.T) {
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

// A timeout on the loop's clock cancels the ctx of the function with DeadlineExceeded.
func TestTimeoutReachesBlockingFunction(t *testing.T) {
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

// Blocking drops a function that the executor has not begun.
func TestBlockingDropsQueuedFunction(t *testing.T) {
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

// The ctx of the function has the values of the task's ctx, but calls that switch panic
// with it.
func TestBlockingFunctionCannotSwitch(t *testing.T) {
	type key struct{}
	worlds(t, func(ctx context.Context, t *testing.T) {
		var inner context.Context
		_, err := await.Blocking(context.WithValue(ctx, key{}, 1), func(ctx context.Context) (int, error) {
			inner = ctx
			panics(t, func() { await.Sleep(ctx, 0) }, "use a Portal")
			if ctx.Value(key{}) != 1 {
				t.Error("the context of the function has lost its values")
			}
			return 0, ctx.Err()
		})
		check(t, "Blocking", err)
		if inner.Err() == nil {
			t.Error("the context of the function is not cancelled after the call")
		}
	})
}

// A panic of the function continues in the task, with the stack of the function.
func TestPanicInBlockingFunction(t *testing.T) {
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

// A Goexit of the function continues in the task.
func TestGoexitInBlockingFunction(t *testing.T) {
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

// A cancel ends the wait at once. The abandoned function's result is disposed of, and its
// panic is reported.
func TestAbandonReturnsAtOnce(t *testing.T) {
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
						t.Errorf("dispose received %d, %v, want 42 and a cancel", v, err)
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
				t.Errorf("dispose or the exception handler sent %d, %v", v, err)
			}
		}
		v, err := await.Abandon(ctx, func(context.Context) (int, error) { return 1, errBody }, nil)
		if v != 1 || err != errBody {
			t.Errorf("Abandon = %d, %v without a cancel", v, err)
		}
	})
}

// An abandoned function that never ends does not hide a deadlock, and does not keep Run
// from ending.
func TestAbandonedFunctionThatNeverEnds(t *testing.T) {
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

// A cancel of a standard context reaches the function too, even if it comes before the task
// parks.
func TestStandardCancelReachesBlockingFunction(t *testing.T) {
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

// A fickle context is cancelled right after the first call of Err: between a call's
// checkpoint and its wait.
type fickle struct {
	context.Context
	calls int
}

func (f *fickle) Err() error {
	if f.calls++; f.calls == 1 {
		return nil
	}
	return context.Canceled
}

// An eager executor begins every function at once and cancels none.
type eager struct{ running sync.WaitGroup }

func (e *eager) Submit(fn func()) func() bool {
	e.running.Go(fn)
	return func() bool { return false }
}

func (e *eager) Close(time.Duration) int {
	e.running.Wait()
	return 0
}

// If the cancel comes between the checkpoint and the wait, Blocking still waits for the
// function, and Abandon abandons it.
func TestCancelBetweenCheckpointAndWait(t *testing.T) {
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
			t.Errorf("dispose received %d, %v, want 42", v, err)
		}
		return nil
	})
	check(t, "Run", err)
}
