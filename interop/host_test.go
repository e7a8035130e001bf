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

// A host is a loop that runs on a goroutine of its own and serves net.Conns to
// everybody else. Its root task is parked meanwhile: it is their lifetime.
type host struct {
	conns chan []net.Conn // what the root task has opened, once
	quit  chan struct{}
	ended chan error // of Run, once
}

// newHost starts a host whose root task opens some streams.
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
		if e := s.Close(); !errors.Is(e, net.ErrClosed) { // by the test
			err = errors.Join(err, e)
		}
	}
	return err
}

// opened returns the connections; a host that has none has failed.
func (h *host) opened(t *testing.T) []net.Conn {
	t.Helper()
	conns, ok := <-h.conns
	if !ok {
		t.Fatal(<-h.ended)
	}
	return conns
}

// stop closes the streams and returns how the loop has ended.
func (h *host) stop() error {
	close(h.quit)
	return <-h.ended
}
