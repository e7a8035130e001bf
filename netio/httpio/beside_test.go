// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// beside calls visit with the address of srv, and with that of a server of package net/http,
// both on the loopback. It returns what visit has seen.
func beside(t *testing.T, srv *httpio.Server, peer *httptest.Server, visit func(addr string) string) (ours, theirs string) {
	t.Helper()
	defer peer.Close()
	theirs = visit(peer.Listener.Addr().String())
	onLoopback(t, srv, func(ctx context.Context, addr string) error {
		var err error
		ours, err = await.Blocking(ctx, func(context.Context) (string, error) { return visit(addr), nil })
		return err
	})
	return ours, theirs
}

// onLoopback runs fn as a task beside srv, which listens on the loopback.
func onLoopback(t *testing.T, srv *httpio.Server, fn func(ctx context.Context, addr string) error) {
	t.Helper()
	err := task.Run(t.Context(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			err := fn(ctx, ln.Addr().String())
			return errors.Join(err, srv.Close())
		})
	})
	if err != nil {
		t.Error(err)
	}
}
