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

// pumpBytes is how much of Stdin is read at a time. It is the default capacity of a pipe.
const pumpBytes = 64 << 10

// idleBound is how long a pump of a cancelled child waits for the next bytes. Bytes that are
// in the pipe already come sooner.
const idleBound = 100 * time.Millisecond

// A pump moves bytes between one pipe of a child and a reader or writer of the program.
type pump struct {
	stream *netio.Stream
	feeds  bool                            // it writes to the child, which need not read everything
	move   func(ctx context.Context) error // moves all bytes
}

// feeder returns a pump that reads from r and writes to the child. The pump does not fail if
// the child has closed its end.
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

// collector returns a pump that reads what the child writes, and writes it to w.
func collector(s *netio.Stream, w io.Writer) pump {
	return pump{s, false, func(ctx context.Context) error {
		_, err := netio.Copy(ctx, writer{w}, s)
		return err
	}}
}

// read reads from r: on the loop if r never waits, and otherwise in the executor.
func read(ctx context.Context, r io.Reader, buf []byte) (int, error) {
	switch r.(type) {
	case *bytes.Buffer, *bytes.Reader, *strings.Reader:
		return r.Read(buf)
	}
	return await.Abandon(ctx, func(context.Context) (int, error) { return r.Read(buf) }, nil)
}

// A writer makes an io.Writer a netio.Writer.
type writer struct{ w io.Writer }

// Write writes to w: on the loop if w never waits, and otherwise in the executor. The executor
// gets a copy of p, because a cancelled Write returns before w has returned.
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

// transfer runs the pumps until they have ended, and calls exit, which must return when the
// child has ended. A pump that ends closes its pipe, so that the child notices. A pump that
// is cancelled leaves its pipe open, to be used again.
//
// After the end of the child nothing is fed to it, and the other pumps may run for WaitDelay.
// If the child was cancelled, a pump also ends when nothing has come for idleBound. The error
// is the error of exit, the first error of a pump, or exec.ErrWaitDelay.
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
		if c.canceled {
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

// A transfer is the state of one call of child.transfer.
type transfer struct {
	child   *child
	running int   // how many pumps have not ended
	failed  error // the first error of a pump
	left    bool  // a pump was ended before the end of its pipe
}

// pump runs p. It closes the pipe unless p was cancelled.
func (t *transfer) pump(ctx context.Context, p pump) {
	ended := true // stays true if p panics
	defer func() {
		if ended {
			_ = p.stream.Close()
			t.child.cmd.forget(p.stream)
		}
		t.running--
		t.child.changed.WakeAll()
	}()
	err := p.move(ctx)
	ended = !isCancel(err)
	switch {
	case t.child.canceled && errors.Is(err, os.ErrDeadlineExceeded):
		t.left = true
	case ended && t.failed == nil:
		t.failed = err
	}
}

// drain waits until the pumps have ended, and cancels them after WaitDelay.
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
