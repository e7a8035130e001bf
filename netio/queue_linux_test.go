// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"baton/netio"
)

// A Dial to a listener with a full queue connects when the queue has space.
func TestUnixQueueOfKernel(t *testing.T) {
	onDisk(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller != "epoll" {
			return // package net chooses the length of the queue
		}
		path := socketPath(t)
		ln := must(netio.ListenConfig{Backlog: 1}.Listen(ctx, "unix", path))(t)
		defer ln.Close()
		for range 2 { // Linux accepts one more than the backlog
			defer must(netio.Dial(ctx, "unix", path))(t).Close()
		}
		_, err := netio.Dialer{Timeout: 5 * time.Millisecond}.Dial(ctx, "unix", path)
		want(t, "Dial", err, os.ErrDeadlineExceeded)
		want(t, "Dial", err, syscall.EAGAIN)
		local := &net.UnixAddr{Name: path + "-local", Net: "unix"}
		_, err = netio.Dialer{LocalAddr: local}.Dial(ctx, "unix", path)
		want(t, "Dial from a local address", err, syscall.EAGAIN)
		dial := blocked(ctx, func(ctx context.Context) (*netio.Stream, error) { return netio.Dial(ctx, "unix", path) })
		for range 3 {
			must(ln.Accept(ctx))(t).Close()
		}
		must(dial.Await(ctx))(t).Close()
	})
}
