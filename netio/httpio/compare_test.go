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

// askBoth calls ask with the address of srv and with the address of peer, a server of package
// net/http. Both listen on loopback. It returns the results of ask.
func askBoth(t *testing.T, srv *httpio.Server, peer *httptest.Server, ask func(addr string) string) (ours, theirs string) {
	t.Helper()
	defer peer.Close()
	theirs = ask(peer.Listener.Addr().String())
	onLoopback(t, srv, func(ctx context.Context, addr string) error {
		var err error
		ours, err = await.Blocking(ctx, func(context.Context) (string, error) { return ask(addr), nil })
		return err
	})
	return ours, theirs
}

// onLoopback runs fn as a task while srv listens on loopback.
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
