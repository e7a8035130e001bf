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

// A server that runs out of descriptors pauses, and continues when it can open descriptors
// again. The test runs in a child process, because it lowers the limit of its process.
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
		first := s.dial(ctx, t) // opens descriptors that stay open
		defer first.Close()
		write(ctx, t, first, "hello\n")
		must(first.ReadLine(ctx))(t)
		before := descriptors()
		limit := syscall.Rlimit{Cur: uint64(before + 20), Max: 1000}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		for range 2 {
			settle(ctx, t, before) // until the server has closed the last connection
			occupied := occupy(t)
			occupied[0].Close()
			c := s.dial(ctx, t) // takes the last descriptor; the server has none
			for len(shortages) == 0 {
				want(t, "sleep", sleep(ctx, time.Millisecond), nil)
			}
			for _, f := range occupied[1:] {
				f.Close()
			}
			write(ctx, t, c, "recovered\n")
			if line, err := c.ReadLine(ctx); line != "recovered" || err != nil {
				t.Errorf("after the shortage ReadLine = %q, %v", line, err)
			}
			c.Close()
		}
		if len(shortages) != 1 || !errors.Is(shortages[0], syscall.EMFILE) {
			t.Errorf("reported %v, want one EMFILE", shortages)
		}
		first.Close()
		return s.srv.Shutdown(ctx)
	})
}

// occupy opens files until the process has no descriptors left.
func occupy(t *testing.T) (files []*os.File) {
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			return files
		}
		files = append(files, must(f, err)(t))
	}
}
