// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// thrifty is a poller that gives all connections the same two addresses. Its Close fails with
// ECONNRESET, as close(2) may on FreeBSD.
type thrifty struct{ poll.Poller }

var oneAddr = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}

// shared is a handle of thrifty.
type shared struct{ poll.Handle }

func (shared) LocalAddr() net.Addr  { return oneAddr }
func (shared) RemoteAddr() net.Addr { return oneAddr }

func (s shared) Close() error {
	if err := s.Handle.Close(); err != nil {
		return err
	}
	reset := os.NewSyscallError("close", syscall.ECONNRESET)
	return &net.OpError{Op: "close", Net: "tcp", Source: oneAddr, Addr: oneAddr, Err: reset}
}

func (p thrifty) Submit(op *poll.Op) bool {
	if s, ok := op.Handle.(shared); ok {
		op.Handle = s.Handle
	}
	return p.Poller.Submit(op) && share(op)
}

func (p thrifty) Wait(done []*poll.Op, d time.Duration) []*poll.Op {
	done = p.Poller.Wait(done, d)
	for _, op := range done {
		share(op)
	}
	return done
}

// share gives the connection that op has made, if any, the shared addresses.
func share(op *poll.Op) bool {
	if op.Err == nil && op.Kind == poll.Connect {
		op.Handle = shared{op.Handle}
	}
	if op.Err == nil && op.Kind == poll.Accept {
		op.Accepted = shared{op.Accepted}
	}
	return true
}

// The server finds out which stream an error belongs to without looking at addresses, and
// whichever layer has wrapped the error.
func TestIdentity(t *testing.T) {
	l := must(loop.New(loop.Config{Poller: thrifty{virtual.New(virtual.Config{})}}))(t)
	defer l.Close()
	want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
		idle := serve(ctx, t, &netio.Server{Grace: -1}, linger(time.Hour))
		s := serve(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			other := idle.greeted(ctx, t)
			defer other.Close()
			s.SetReadTimeout(time.Second)
			_, err := s.ReadLine(ctx)
			want(t, "ReadLine", err, os.ErrDeadlineExceeded)
			other.SetReadTimeout(time.Second)
			_, failure := other.ReadLine(ctx)
			want(t, "ReadLine of the other", failure, os.ErrDeadlineExceeded)
			if s.LocalAddr().String() != oneAddr.String() || s.RemoteAddr().String() != oneAddr.String() {
				t.Errorf("the stream is %v, want two equal addresses", s)
			}
			if _, err := s.Write(ctx, []byte("done\n")); err != nil {
				return err
			}
			if line, _ := s.ReadLine(ctx); line == "own" {
				return err
			}
			return failure
		})
		for _, line := range []string{"own", "other"} {
			c := s.dial(ctx, t)
			must(c.ReadLine(ctx))(t)
			write(ctx, t, c, line+"\n")
			_, err := c.ReadLine(ctx)
			want(t, "ReadLine of the client", err, io.EOF)
			want(t, "Close", c.Close(), syscall.ECONNRESET)
			if len(s.errs) > 0 == (line == "own") {
				t.Errorf("%s: reported %v", line, s.errs)
			}
		}
		want(t, "Close", idle.srv.Close(), nil)
		want(t, "ServeListener", idle.end(ctx), nil)
		if len(idle.errs) > 0 {
			t.Errorf("reported %v, want nothing for its own resets", idle.errs)
		}
		return s.srv.Shutdown(ctx)
	}), nil)
}
