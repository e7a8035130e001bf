// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A cut is a relay between two streams that lets only so many bytes of one direction
// through, and then ends or resets both.
type cut struct {
	at    int
	back  bool // it counts what the server says
	reset bool
}

// exchange shakes hands and exchanges a line through the relay, which forwards at most
// step bytes at a time. It returns what the two ends saw, and how many bytes they said.
func (c cut) exchange(ctx context.Context, t *testing.T, a *authority, step int) (said [2]int, nearErr, farErr error) {
	w, strict := world{"virtual", "tcp"}, netio.StreamConfig{TLS: netio.TLSOptions{Strict: true}}
	front, back := w.pair(ctx, t, strict)
	near, far := w.pair(ctx, t, strict)
	err := task.Scope(ctx, func(ctx context.Context) error {
		for i, relay := range [][2]*netio.Stream{{back, near}, {near, back}} {
			task.Go(ctx, func(ctx context.Context) error {
				buf := make([]byte, step)
				for {
					p := buf
					counts := c.at >= 0 && (i == 1) == c.back
					if counts {
						p = buf[:min(step, c.at-said[i])]
					}
					if counts && len(p) == 0 {
						end := (*netio.Stream).Close
						if c.reset {
							end = (*netio.Stream).Abort
						}
						end(near)
						end(back)
						return nil
					}
					n, err := relay[0].Read(ctx, p)
					if err != nil {
						relay[1].CloseWrite()
						return nil
					}
					said[i] += n
					relay[1].Write(ctx, p[:n]) // fails once the other end is closed
				}
			})
		}
		serving := task.Start(ctx, func(ctx context.Context) (int, error) {
			if err := far.AcceptTLS(ctx, a.server(t)); err != nil {
				return 0, err
			}
			defer far.Close()
			line, err := far.ReadLine(ctx)
			if err != nil {
				return 0, err
			}
			if _, err := far.Write(ctx, []byte(line+"\n")); err != nil {
				return 0, err
			}
			_, err = far.ReadAll(ctx, 10)
			return 0, err
		})
		nearErr = func() error {
			if err := front.StartTLS(ctx, a.client()); err != nil {
				return err
			}
			defer front.Close()
			if _, err := front.Write(ctx, []byte("hello\n")); err != nil {
				return err
			}
			if line, err := front.ReadLine(ctx); line != "hello" {
				return errors.Join(io.ErrUnexpectedEOF, err)
			}
			if err := front.CloseWrite(); err != nil {
				return err
			}
			_, err := front.ReadAll(ctx, 10)
			return err
		}()
		_, farErr = serving.Await(ctx)
		return nil
	})
	want(t, "Scope", err, nil)
	near.Close()
	back.Close()
	return said, nearErr, farErr
}

// Whatever the pieces in which the bytes of an encrypted exchange come, it succeeds.
func TestTLSPieces(t *testing.T) {
	for _, step := range []int{1, 2, 3, 5, 100, 1000} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			_, nearErr, farErr := cut{at: -1}.exchange(ctx, t, newAuthority(t), step)
			want(t, "exchange", errors.Join(nearErr, farErr), nil)
		})
	}
}

// Wherever a connection is cut, both ends see an error or the end, and nothing hangs:
// the side that misses bytes sees an error.
func TestTLSCut(t *testing.T) {
	for _, c := range []cut{{}, {back: true}, {reset: true}, {back: true, reset: true}} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			a := newAuthority(t)
			said, _, _ := cut{at: -1}.exchange(ctx, t, a, 5000)
			all := said[0]
			if c.back {
				all = said[1]
			}
			for c.at = 0; c.at < all-100; c.at += 11 { // lengths differ a little each time
				_, nearErr, farErr := c.exchange(ctx, t, a, 5000)
				if c.back && nearErr == nil || !c.back && farErr == nil {
					t.Errorf("%+v: %v; %v", c, nearErr, farErr)
				}
				for _, err := range []error{nearErr, farErr} {
					if _, ok := errors.AsType[*net.OpError](err); err != nil && !ok && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("%+v: a %T: %v", c, err, err)
					}
				}
			}
		})
	}
}
