// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"os/exec"
	"testing"

	"baton/internal/porttest"
)

// startRedis starts a redis-server and returns its address.
func startRedis(t *testing.T) string {
	t.Helper()
	return launchRedis(t).address
}

// launchRedis starts a redis-server that stores nothing on disk.
func launchRedis(t *testing.T) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test needs redis-server: apt-get install redis-server")
	}
	address, port := porttest.Reserve(t)
	return launch(t, address, "Ready to accept connections", func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
		cmd.Dir = t.TempDir()
		return cmd
	})
}
