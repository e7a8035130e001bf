// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"baton/await"
	"baton/sim"
	"baton/task"
)

// Two tasks of one loop can use the two ends of a Go channel. The loop neither stops nor
// becomes idle.
func TestChannelBetweenTasks(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		for _, size := range []int{0, 1, 5} {
			ch := make(chan int, size)
			task.Go(ctx, func(ctx context.Context) error {
				defer close(ch)
				for i := range 10 {
					if err := await.Send(ctx, ch, i); err != nil {
						return err
					}
				}
				return nil
			})
			for i := 0; ; i++ {
				v, ok, err := await.Receive(ctx, ch)
				check(t, "Receive", err)
				if !ok {
					if i != 10 || v != 0 {
						t.Errorf("closed after %d values", i)
					}
					break
				}
				if v != i {
					t.Errorf("Receive = %d, want %d", v, i)
				}
			}
		}
	})
}

// A goroutine may use the other end of the channel.
func TestChannelToGoroutine(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		there, back := make(chan int), make(chan int)
		go func() {
			for v := range there {
				back <- v + 1
			}
		}()
		for i := range 10 {
			check(t, "Send", await.Send(ctx, there, i))
			if v, ok, err := await.Receive(ctx, back); v != i+1 || !ok || err != nil {
				t.Errorf("Receive = %d, %v, %v", v, ok, err)
			}
		}
		close(there)
	})
}

// A cancel ends the wait, even on a nil channel. The clock of the simulation advances
// during the wait.
func TestCancelEndsWaitForChannel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for _, ch := range []chan int{nil, make(chan int)} {
			began := task.Now(ctx)
			err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
				_, ok, err := await.Receive(ctx, ch)
				if ok {
					t.Error("Receive returned a value after a cancel")
				}
				return err
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Receive = %v, want deadline exceeded", err)
			}
			took(ctx, t, began, time.Second)
			err = await.Timeout(ctx, time.Second, func(ctx context.Context) error { return await.Send(ctx, ch, 1) })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Send = %v, want deadline exceeded", err)
			}
		}
		full := make(chan int, 1)
		full <- 1
		err := await.Timeout(ctx, 0, func(ctx context.Context) error {
			_, _, err := await.Receive(ctx, full)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || len(full) != 1 {
			t.Errorf("Receive = %v after a cancel, %d values are left", err, len(full))
		}
	})
}

// Each value that was sent is received once, even if receivers are cancelled.
func TestCancelledReceiveLosesNoValue(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		const n = 200
		ch, stop := make(chan int), make(chan struct{})
		sent := make(chan int, 1)
		go func() {
			count := 0
			defer func() { sent <- count }()
			for {
				select {
				case ch <- 1:
					count++
				case <-stop:
					return
				}
			}
		}()
		received := 0
		for i := range n {
			receiver := task.Start(ctx, func(ctx context.Context) (int, error) {
				v, _, err := await.Receive(ctx, ch)
				received += v
				return v, err
			})
			for range i % 4 {
				check(t, "Sleep", await.Sleep(ctx, 0))
			}
			receiver.Cancel(nil)
			if v, err := receiver.Await(ctx); (v == 1) != (err == nil) {
				t.Errorf("Receive = %d, %v", v, err)
			}
		}
		close(stop)
		if count := <-sent; count != received {
			t.Errorf("%d values were sent, %d received", count, received)
		}
	})
}

func TestSendToClosedChannelPanics(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		ch := make(chan int)
		close(ch)
		panics(t, func() { await.Send(ctx, ch, 1) }, "closed channel")
	})
}

// Only a waiting call keeps the loop from being idle. After the call, a deadlock is found
// again.
func TestDeadlockAfterReceive(t *testing.T) {
	ch := make(chan int)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		go func() { ch <- 1 }()
		if _, _, err := await.Receive(ctx, ch); err != nil {
			return err
		}
		var never task.Future[int]
		_, err := never.Await(ctx)
		return err
	})
	var dead *task.DeadlockError
	if !errors.As(err, &dead) {
		t.Errorf("Run = %v, want a deadlock", err)
	}
}

// Two cancels in one step, the second from an outer scope, end the wait once.
func TestReceiveCancelledTwice(t *testing.T) {
	worlds(t, func(ctx context.Context, t *testing.T) {
		var inner *task.ScopeRef
		waiting := task.Start(ctx, func(ctx context.Context) (int, error) {
			err := task.Scope(ctx, func(ctx context.Context) error {
				inner = task.ScopeOf(ctx)
				_, _, err := await.Receive(ctx, make(chan int))
				return err
			})
			return 0, err
		})
		for waiting.State() != task.Parked {
			check(t, "Yield", task.Yield(ctx))
		}
		inner.Cancel(nil)
		waiting.Cancel(nil)
		if _, err := waiting.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v, want canceled", err)
		}
	})
}
