// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"baton/netio"
)

// A server that runs out of descriptors pauses, and goes on when there are some
// again (G19, 3.3). The limit is for a process of its own.
func TestNoDescriptors(t *testing.T) {
	const marker = "NETIO_TEST_NO_DESCRIPTORS"
	if os.Getenv(marker) == "" {
		for _, poller := range []string{"epoll", "portable"} {
			child := exec.Command(os.Args[0], "-test.run=^TestNoDescriptors$")
			child.Env = append(os.Environ(), marker+"=1", "BATON_POLLER="+poller)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", poller, err, out)
			}
		}
		return
	}
	real(t, func(ctx context.Context) error {
		var shortages []error
		s := serve(ctx, t, &netio.Server{OnError: func(_ *netio.Stream, err error) { shortages = append(shortages, err) }}, echo)
		first := s.dial(ctx, t) // opens what a first connection opens
		defer first.Close()
		write(ctx, t, first, "hello\n")
		must(first.ReadLine(ctx))(t)
		before := descriptors()
		limit := syscall.Rlimit{Cur: uint64(before + 20), Max: 1000}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		for range 2 {
			settle(ctx, t, before) // also the server's end of the last connection
			occupied := occupy(t)
			occupied[0].Close()
			c := s.dial(ctx, t) // with the last descriptor; none is left for the other end
			for len(shortages) == 0 {
				want(t, "sleep", sleep(ctx, time.Millisecond), nil)
			}
			for _, f := range occupied[1:] {
				f.Close()
			}
			write(ctx, t, c, "recovered\n")
			if line, err := c.ReadLine(ctx); line != "recovered" || err != nil {
				t.Errorf("after the shortage: %q, %v", line, err)
			}
			c.Close()
		}
		if len(shortages) != 1 || !errors.Is(shortages[0], syscall.EMFILE) {
			t.Errorf("reported: %v, want one EMFILE", shortages)
		}
		first.Close()
		return s.srv.Shutdown(ctx)
	})
}

// occupy opens files until there are no descriptors.
func occupy(t *testing.T) (files []*os.File) {
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			return files
		}
		files = append(files, must(f, err)(t))
	}
}
