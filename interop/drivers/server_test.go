// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// launch starts a server and returns when it has printed a line that contains ready. At the end
// of the test the server gets an interrupt; if it has not ended ten seconds later, it is killed.
func launch(t *testing.T, ready string, command func(ctx context.Context) *exec.Cmd) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := command(ctx)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	heard, drained := bufio.NewScanner(r), make(chan struct{})
	t.Cleanup(func() {
		cancel()
		cmd.Wait() // reports the interrupt
		<-drained
		r.Close()
	})
	var seen []string
	for heard.Scan() {
		if strings.Contains(heard.Text(), ready) {
			go func() { // so that the server never waits for a reader
				defer close(drained)
				for heard.Scan() {
				}
			}()
			return
		}
		seen = append(seen, heard.Text())
	}
	close(drained)
	t.Fatalf("the server did not say %q but:\n%s", ready, strings.Join(seen, "\n"))
}

// freeAddress returns an address of 127.0.0.1 that was free a moment ago.
func freeAddress(t *testing.T) (address, port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	address = ln.Addr().String()
	_, port, err = net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return address, port
}

// unprivileged returns attributes of a process that is not the administrator's, and gives that
// user the directory. They are nil if the test does not run as the administrator.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
