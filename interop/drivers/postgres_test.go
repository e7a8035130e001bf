// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"baton/internal/porttest"
)

// startPostgres starts a PostgreSQL server and returns a connection string.
func startPostgres(t *testing.T) string {
	t.Helper()
	return postgresURL(launchPostgres(t).address)
}

// postgresURL returns the connection string for a server of launchPostgres.
func postgresURL(address string) string {
	return fmt.Sprintf("postgres://baton:gopher@%s/postgres?sslmode=disable", address)
}

// launchPostgres creates a database cluster in a temporary directory and starts its server. The
// server checks the password of the user with SCRAM.
func launchPostgres(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "drivers") // unlike t.TempDir, open to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("gopher"), 0o644); err != nil {
		t.Fatal(err)
	}
	attributes, data := unprivileged(t, dir), filepath.Join(dir, "data")
	command := func(ctx context.Context, name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, postgresProgram(t, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes
		return cmd
	}
	out, err := command(context.Background(), "initdb", "--pgdata="+data, "--username=baton", "--pwfile="+secret,
		"--auth=scram-sha-256", "--no-locale", "--encoding=UTF8", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	address, port := porttest.Reserve(t)
	return launch(t, address, "ready to accept connections", func(ctx context.Context) *exec.Cmd {
		return command(ctx, "postgres", "-D", data, "-p", port, "-k", "", "-c", "listen_addresses=127.0.0.1",
			"-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20")
	})
}

// postgresProgram finds a program of PostgreSQL, which Debian installs outside the PATH.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal("this test needs PostgreSQL: apt-get install postgresql")
	}
	return path
}
