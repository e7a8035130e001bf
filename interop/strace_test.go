// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"baton/netio"
	"baton/task"
)

var strace = program{"strace", "strace"}

// Strace makes every third system call of a kind fail with EINTR before the call does anything, as
// if a signal had interrupted it. No byte is lost. The test does not inject EAGAIN: a kernel never
// returns EAGAIN while there are bytes, and the poller relies on that.
func TestInterruptedCalls(t *testing.T) {
	const marker, calls = "INTEROP_TEST_INTERRUPTED", "recvfrom,sendto,writev,accept4,epoll_pwait,epoll_pwait2"
	if os.Getenv(marker) == "" {
		bounded(t, func(ctx context.Context) error {
			trace := dir(t) + "/trace"
			_, err := strace.run(ctx, "", "-f", "-qq", "-E", marker+"=1", "-E", "BATON_POLLER=epoll", "-o", trace,
				"-e", "trace="+calls, "-e", "inject="+calls+":error=EINTR:when=3+3",
				os.Args[0], "-test.run=^TestInterruptedCalls$", "-test.timeout=50s")
			if err != nil {
				return err
			}
			seen, err := os.ReadFile(trace)
			if err != nil {
				return err
			}
			for _, call := range []string{"recvfrom", "sendto", "accept4", "epoll_pwait"} {
				if !interrupted(string(seen), call) {
					t.Errorf("strace has not interrupted %s", call)
				}
			}
			return nil
		})
		return
	}
	id := newIdentity(t)
	bounded(t, func(ctx context.Context) error {
		for _, encrypted := range []bool{false, true} {
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			srv := &netio.Server{OnError: func(_ *netio.Stream, err error) { t.Error(err) }}
			if encrypted {
				srv.TLS = id.server()
			}
			task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echo) })
			text := strings.Repeat("a line that goes there and back\n", 10_000)
			for range 10 {
				s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
				if err != nil {
					return err
				}
				if encrypted {
					if err := s.StartTLS(ctx, id.client()); err != nil {
						return err
					}
				}
				writing := task.Start(ctx, func(ctx context.Context) (int, error) {
					if _, err := s.WriteBuffers(ctx, []byte(text[:1000]), []byte(text[1000:])); err != nil {
						return 0, err
					}
					return 0, s.CloseWrite()
				})
				if got, err := s.ReadAll(ctx, len(text)); string(got) != text || err != nil {
					t.Errorf("%d bytes of %d came back, %v", len(got), len(text), err)
				}
				if _, err := writing.Await(ctx); err != nil {
					return err
				}
				if err := s.Close(); err != nil {
					return err
				}
			}
			if err := srv.Shutdown(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// interrupted reports whether strace made a call fail.
func interrupted(trace, call string) bool {
	for line := range strings.Lines(trace) {
		if strings.Contains(line, call) && strings.Contains(line, "EINTR") && strings.Contains(line, "INJECTED") {
			return true
		}
	}
	return false
}
