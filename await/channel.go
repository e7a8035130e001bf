// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/loop"
	"baton/task"
)

// Receive receives a value from a Go channel while other tasks run. ok is false if the
// channel is closed. With an error, Receive has received nothing. A value that was received
// is returned, even if ctx is cancelled at the same moment. Receive may switch.
//
// While Receive waits, it uses a goroutine, and the loop is not idle, because any goroutine
// might still send. A locks.Queue is cheaper between tasks.
func Receive[T any](ctx context.Context, ch <-chan T) (v T, ok bool, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return v, false, err
	}
	select {
	case v, ok = <-ch:
		return v, ok, nil
	default:
	}
	received := false
	onGoroutine(ctx, r, "a value from a Go channel", func(quit <-chan struct{}) {
		select {
		case v, ok = <-ch:
			received = true
		case <-quit:
		}
	})
	if !received {
		err = task.Check(ctx)
	}
	return v, ok, err
}

// Send sends v to a Go channel while other tasks run. With an error, v has not been sent.
// Send may switch, and uses a goroutine while it waits, like [Receive]. It panics if the
// channel is closed.
func Send[T any](ctx context.Context, ch chan<- T, v T) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	select {
	case ch <- v:
		return nil
	default:
	}
	sent := false
	onGoroutine(ctx, r, "a Go channel to take a value", func(quit <-chan struct{}) {
		select {
		case ch <- v:
			sent = true
		case <-quit:
		}
	})
	if !sent {
		err = task.Check(ctx)
	}
	return err
}

// onGoroutine calls fn on a new goroutine and waits until fn has returned. If ctx is
// cancelled, onGoroutine closes quit, and fn must return soon. Whether fn sent or received
// a value decides what the caller returns, not the cancel. onGoroutine does not use the
// executor, because the number of the executor's goroutines is limited.
func onGoroutine(ctx context.Context, r *task.Ref, reason string, fn func(quit <-chan struct{})) {
	quit := make(chan struct{})
	closed := false
	c := &channelCall{loop: r.Loop(), blockingCall: blockingCall{task: r, reason: reason}}
	c.quit = func() bool { // a second cancel may call it again
		if !closed {
			closed = true
			close(quit)
		}
		return false
	}
	c.loop.Driver().Open()
	go func() {
		defer c.loop.Driver().Post(c)
		c.call(func() { fn(quit) })
	}()
	c.wait(ctx)
}

// A channelCall is a blockingCall outside the executor. The loop does not know the
// goroutine. So the call is registered as an external source, and ends through the loop's
// mailbox.
type channelCall struct {
	blockingCall
	loop *loop.Loop
}

// Wake ends the call. The loop calls it when it takes the call from the mailbox. Wake makes
// a channelCall a loop.Waker.
func (c *channelCall) Wake() {
	c.loop.Driver().Shut()
	c.end()
}
