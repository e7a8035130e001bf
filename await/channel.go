// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/loop"
	"baton/task"
)

// Receive receives from a Go channel while other tasks run: ok is false if the
// channel is closed. A value that has been received is returned, even if ctx is
// cancelled at that moment. It may switch. With an error nothing has been
// received.
//
// While it waits it takes a goroutine, and keeps the loop from being idle: nobody
// can tell whether somebody will ever send. Between tasks a locks.Queue is
// cheaper.
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
	outside(ctx, r, "a value from a Go channel", func(quit <-chan struct{}) {
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

// Send sends v to a Go channel while other tasks run. It may switch, and waits as
// Receive does. With an error v has not been sent. As ever, sending to a closed
// channel panics.
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
	outside(ctx, r, "a Go channel to take a value", func(quit <-chan struct{}) {
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

// outside calls fn on a goroutine and waits for its end. When ctx is cancelled,
// quit is closed, and fn is to return soon; the caller learns from what fn did,
// and not from the cancel, whether anything was sent or received. It does not
// use the executor: that is for functions that work, and only so many.
func outside(ctx context.Context, r *task.Ref, reason string, fn func(quit <-chan struct{})) {
	quit := make(chan struct{})
	asked := false
	v := &visit{loop: r.Loop(), errand: errand{task: r, reason: reason}}
	v.quit = func() bool { // may be asked again, by a second cancel
		if !asked {
			asked = true
			close(quit)
		}
		return false
	}
	v.loop.Driver().Open()
	go func() {
		defer v.loop.Driver().Post(v)
		v.call(func() { fn(quit) })
	}()
	v.wait(ctx)
}

// A visit is an errand outside of the executor. The loop does not know of its
// goroutine, so it is a door, and comes back by the loop's mailbox.
type visit struct {
	errand
	loop *loop.Loop
}

// Wake is the errand's return, as the loop receives it: with the baton. It makes a
// visit a loop.Waker.
func (v *visit) Wake() {
	v.loop.Driver().Shut()
	v.end()
}
