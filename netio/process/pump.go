// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// pumpBytes is how much of Stdin is read at a time: what a pipe holds, by default.
const pumpBytes = 64 << 10

// idleBound is how long a pump of a child that was cancelled waits for the next bytes. What is
// in the pipe comes sooner.
const idleBound = 100 * time.Millisecond

// A pump moves the bytes of one pipe.
type pump struct {
	stream *netio.Stream
	feeds  bool // the child, which need not take it all
	move   func(ctx context.Context) error
}

// feeder returns a pump that writes what r brings to the child. That the child reads no
// more is no failure.
func feeder(s *netio.Stream, r io.Reader) pump {
	return pump{s, true, func(ctx context.Context) error {
		buf := make([]byte, pumpBytes)
		for {
			n, err := read(ctx, r, buf)
			if n > 0 {
				if _, err := s.Write(ctx, buf[:n]); errors.Is(err, syscall.EPIPE) {
					return nil
				} else if err != nil {
					return err
				}
			}
			if err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	}}
}

// collector returns a pump that writes what the child brings to w.
func collector(s *netio.Stream, w io.Writer) pump {
	return pump{s, false, func(ctx context.Context) error {
		_, err := netio.Copy(ctx, writer{w}, s)
		return err
	}}
}

// read reads from r: here if it never waits, or else beside the loop.
func read(ctx context.Context, r io.Reader, buf []byte) (int, error) {
	switch r.(type) {
	case *bytes.Buffer, *bytes.Reader, *strings.Reader:
		return r.Read(buf)
	}
	return await.Abandon(ctx, func(context.Context) (int, error) { return r.Read(buf) }, nil)
}

// A writer is an io.Writer as a netio.Writer.
type writer struct{ w io.Writer }

// Write writes to w: here if it never waits, or else beside the loop. What it gives away
// there is a copy, since a cancel does not wait for the return.
func (w writer) Write(ctx context.Context, p []byte) (n int, err error) {
	switch w.w.(type) {
	case *bytes.Buffer, *strings.Builder, *excerpt:
		n, err = w.w.Write(p)
	default:
		if w.w == io.Discard {
			return len(p), nil
		}
		p = bytes.Clone(p)
		n, err = await.Abandon(ctx, func(context.Context) (int, error) { return w.w.Write(p) }, nil)
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// transfer runs the pumps. When one has come to its end, or has failed, it closes the
// pipe, so that the child learns of that; after a cancel the pipe can be used again.
//
// Exit returns when the child has ended. From then on nothing is fed to it, and the other
// pumps have WaitDelay to come to their end. If the child was cancelled, a pump also ends
// when nothing has come for idleBound. The error is that of exit, the first one of a pump, or
// exec.ErrWaitDelay.
func (c *child) transfer(ctx context.Context, pumps []pump, exit func(ctx context.Context) error) error {
	if len(pumps) == 0 {
		return exit(ctx)
	}
	t := transfer{child: c, running: len(pumps)}
	err := task.Scope(ctx, func(ctx context.Context) error {
		var feeder *task.Ref
		for _, p := range pumps {
			ref := task.Go(ctx, func(ctx context.Context) error { t.pump(ctx, p); return nil })
			ref.SetName("process.pump")
			if p.feeds {
				feeder = ref
			}
		}
		if err := exit(ctx); err != nil {
			return err
		}
		if feeder != nil {
			feeder.Cancel(nil)
		}
		if c.cut {
			for _, p := range pumps {
				p.stream.SetIdleTimeout(idleBound)
			}
		}
		return t.drain(ctx)
	})
	switch {
	case err != nil:
		return err
	case t.failed != nil:
		return t.failed
	case t.left:
		return exec.ErrWaitDelay
	}
	return nil
}

// A transfer is the state of the pumps of one call of the method transfer.
type transfer struct {
	child   *child
	running int   // pumps
	failed  error // the first failure of one
	left    bool  // one has not come to its end
}

// pump runs a pump, and closes its pipe when it has come to its end.
func (t *transfer) pump(ctx context.Context, p pump) {
	ended := true // also if p panics
	defer func() {
		if ended {
			_ = p.stream.Close()
		}
		t.running--
		t.child.news.WakeAll()
	}()
	err := p.move(ctx)
	ended = !isCancel(err)
	switch {
	case t.child.cut && errors.Is(err, os.ErrDeadlineExceeded):
		t.left = true
	case ended && t.failed == nil:
		t.failed = err
	}
}

// drain waits for the pumps, and cancels them after WaitDelay.
func (t *transfer) drain(ctx context.Context) error {
	bounded := ctx
	if d := t.child.cmd.delay(); d >= 0 {
		var release context.CancelFunc
		bounded, release = await.WithTimeout(ctx, d)
		defer release()
	}
	if t.child.until(bounded, func() bool { return t.running == 0 }) == nil {
		return nil
	}
	if err := task.Check(ctx); err != nil {
		return err
	}
	t.left = true
	task.ScopeOf(ctx).Cancel(nil)
	return nil
}

func isCancel(err error) bool {
	_, ok := err.(*task.Canceled)
	return ok
}
