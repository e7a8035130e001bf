// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"baton/internal/saturate"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A world is what a test runs in: a poller and a network.
type world struct {
	poller  string // "virtual", "epoll" or "portable"
	network string
}

func worlds() []world {
	all := []world{{"virtual", "tcp"}, {"virtual", "unix"}}
	if runtime.GOOS == "linux" {
		all = append(all, world{"epoll", "tcp"}, world{"epoll", "unix"})
	}
	return append(all, world{"portable", "tcp"}, world{"portable", "unix"})
}

func (w world) String() string { return w.poller + " " + w.network }

// address returns an address to listen on.
func (w world) address(t testing.TB) string {
	switch {
	case w.network == "tcp":
		return "127.0.0.1:0"
	case w.poller == "virtual":
		return "/virtual/socket"
	}
	return socketPath(t)
}

// socketPath returns a short path, because a UNIX address has at most 107 bytes.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "netio")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// everywhere runs fn in every world.
func everywhere(t *testing.T, fn func(ctx context.Context, t *testing.T, w world)) {
	for _, w := range worlds() {
		t.Run(w.String(), func(t *testing.T) {
			w.run(t, func(ctx context.Context, t *testing.T) { fn(ctx, t, w) })
		})
	}
}

// run runs fn as the root task of a loop of this world.
func (w world) run(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Helper()
	if w.poller == "virtual" {
		sim.Test(t, fn)
		return
	}
	t.Setenv("BATON_POLLER", w.poller)
	real(t, func(ctx context.Context) error {
		fn(ctx, t)
		return nil
	})
}

// patience is how long a test may take in a real world. It only ends a test that hangs.
const patience = 5 * time.Minute

// real runs fn as the root task of a real loop.
func real(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := task.Run(ctx, fn); err != nil {
		t.Error(err)
	}
}

// pair returns both endpoints of a connection. The caller closes them.
func (w world) pair(ctx context.Context, t testing.TB, c netio.StreamConfig) (near, far *netio.Stream) {
	t.Helper()
	ln := must(netio.ListenConfig{Stream: c}.Listen(ctx, w.network, w.address(t)))(t)
	defer ln.Close()
	accepted := task.Start(ctx, ln.Accept)
	near = must(netio.Dialer{Stream: c}.Dial(ctx, w.network, ln.Addr().String()))(t)
	return near, must(accepted.Await(ctx))(t)
}

// must returns v, and ends the test if err is not nil. It is for calls that prepare a test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sleep waits on the loop's clock. In a virtual world it takes no real time.
func sleep(ctx context.Context, d time.Duration) error {
	return task.ParkUntil(ctx, saturate.Add(task.Now(ctx), d))
}

// want checks that got is the error want, or nil if want is nil.
func want(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
