// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// A host is a loop on its own goroutine. Other goroutines use its net.Conns. The root task of the
// loop is the lifetime of these net.Conns and stays parked until stop.
type host struct {
	conns chan []net.Conn // receives once what the root task has opened
	quit  chan struct{}
	ended chan error // receives once the result of Run
}

// newHost starts a host. Its root task calls open.
func newHost(r task.Runner, open func(ctx context.Context) ([]*netio.Stream, error)) *host {
	h := &host{conns: make(chan []net.Conn, 1), quit: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		h.ended <- r.Run(context.Background(), func(ctx context.Context) error { return h.run(ctx, open) })
	}()
	return h
}

func (h *host) run(ctx context.Context, open func(ctx context.Context) ([]*netio.Stream, error)) error {
	defer close(h.conns)
	streams, err := open(ctx)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, len(streams))
	for i, s := range streams {
		conns[i] = s.NetConn(ctx)
	}
	h.conns <- conns
	_, _, err = await.Receive(ctx, h.quit)
	for _, s := range streams {
		if e := s.Close(); !errors.Is(e, net.ErrClosed) { // the test has closed it
			err = errors.Join(err, e)
		}
	}
	return err
}

// opened returns the connections. The test fails if the host could not open them.
func (h *host) opened(t *testing.T) []net.Conn {
	t.Helper()
	conns, ok := <-h.conns
	if !ok {
		t.Fatal(<-h.ended)
	}
	return conns
}

// stop closes the streams and returns the result of Run.
func (h *host) stop() error {
	close(h.quit)
	return <-h.ended
}
