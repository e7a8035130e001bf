// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// onDisk runs fn in the worlds where UNIX sockets have files.
func onDisk(t *testing.T, fn func(ctx context.Context, t *testing.T, w world)) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network == "unix" && w.poller != "virtual" {
			fn(ctx, t, w)
		}
	})
}

// stale leaves the file of a closed UNIX socket.
func stale(ctx context.Context, t *testing.T) (path string) {
	t.Helper()
	path = socketPath(t)
	ln := must(netio.ListenConfig{KeepFile: true}.Listen(ctx, "unix", path))(t)
	want(t, "Close", ln.Close(), nil)
	return path
}

// If several servers find the same stale file, exactly one replaces it.
func TestUnixStaleRace(t *testing.T) {
	const rounds, servers = 50, 4
	onDisk(t, func(ctx context.Context, t *testing.T, _ world) {
		for range rounds {
			path := stale(ctx, t)
			start, end := make(chan struct{}), make(chan struct{})
			results := make(chan error, servers)
			var wg sync.WaitGroup
			for range servers {
				wg.Go(func() {
					<-start
					err := task.Run(context.Background(), func(ctx context.Context) error {
						ln, err := netio.Listen(ctx, "unix", path)
						results <- err
						if err != nil {
							return nil
						}
						defer ln.Close()
						_, _, err = await.Receive(ctx, end)
						return err
					})
					want(t, "a server", err, nil)
				})
			}
			close(start)
			winners := 0
			for range servers {
				err, _, _ := await.Receive(ctx, results)
				if err == nil {
					winners++
				} else {
					want(t, "Listen", err, syscall.EADDRINUSE)
				}
			}
			if winners != 1 {
				t.Errorf("%d servers of %d listen on the socket, want 1", winners, servers)
			} else {
				must(netio.Dial(ctx, "unix", path))(t).Close()
			}
			close(end)
			wg.Wait()
			if _, err := os.Lstat(path + ".baton-lock"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the lock file exists after Listen: %v", err)
			}
		}
	})
}

// A server is not disturbed if another one tries to listen on its socket.
func TestUnixLiveServer(t *testing.T) {
	onDisk(t, func(ctx context.Context, t *testing.T, _ world) {
		path := socketPath(t)
		ln := must(netio.Listen(ctx, "unix", path))(t)
		defer ln.Close()
		accepted := blocked(ctx, ln.Accept)
		_, err := netio.Listen(ctx, "unix", path)
		want(t, "Listen", err, syscall.EADDRINUSE)
		near := must(netio.Dial(ctx, "unix", path))(t)
		defer near.Close()
		far := must(accepted.Await(ctx))(t)
		defer far.Close()
		write(ctx, t, near, "x")
		if n, err := far.Read(ctx, make([]byte, 1)); n != 1 {
			t.Errorf("Accept returned another connection than Dial's: Read = %d, %v", n, err)
		}
	})
}
