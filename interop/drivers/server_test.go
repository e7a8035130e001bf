// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server is a process that a test starts, and may stop, kill and start again.
type server struct {
	address string // where it listens, also after a restart
	ready   string // a part of the line that it prints when it accepts connections
	command func(ctx context.Context) *exec.Cmd
	end     func() // kills and reaps the process; safe to call again
	cmd     *exec.Cmd
}

// launch starts a server and returns when the server has printed a line that contains ready. The
// end of the test sends an interrupt to the server, and kills it ten seconds later.
func launch(t *testing.T, address, ready string, command func(ctx context.Context) *exec.Cmd) *server {
	t.Helper()
	s := &server{address: address, ready: ready, command: command}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end() })
	return s
}

// start starts the process, for the first time or after kill.
func (s *server) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	s.cmd = s.command(ctx)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 10 * time.Second
	r, w, err := os.Pipe()
	if err != nil {
		cancel()
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	err = s.cmd.Start()
	w.Close()
	if err != nil {
		cancel()
		r.Close()
		return err
	}
	output, drained := bufio.NewScanner(r), make(chan struct{})
	s.end = func() {
		cancel()
		s.cmd.Wait() // returns the interrupt as an error
		<-drained
		r.Close()
		s.end = func() {}
	}
	var seen []string
	for output.Scan() {
		if strings.Contains(output.Text(), s.ready) {
			go func() { // the pipe must not fill up
				defer close(drained)
				for output.Scan() {
				}
			}()
			return nil
		}
		seen = append(seen, output.Text())
	}
	close(drained)
	s.end()
	return fmt.Errorf("the server did not print %q but:\n%s", s.ready, strings.Join(seen, "\n"))
}

// pause stops the processes of the server. They keep their connections, and the kernel still
// accepts new ones for them.
func (s *server) pause() {
	// A process may start another one before it stops: so repeat until all are found.
	for stopped := []int(nil); ; {
		all := s.signal(syscall.SIGSTOP)
		if slices.Equal(all, stopped) {
			return
		}
		stopped = all
	}
}

// resume lets the processes of the server run again.
func (s *server) resume() { s.signal(syscall.SIGCONT) }

// kill kills the processes of the server, and returns when they have ended.
func (s *server) kill() {
	s.pause() // from here on they start no others
	all := s.signal(syscall.SIGKILL)
	s.end()
	for _, pid := range all[1:] { // they are not the test's children, so it cannot wait for them
		for running(pid) {
			runtime.Gosched()
		}
	}
}

// signal sends a signal to the process of the server and to its descendants, parents first. It
// returns their process IDs.
func (s *server) signal(sig syscall.Signal) []int {
	all := append([]int{s.cmd.Process.Pid}, descendants(s.cmd.Process.Pid)...)
	for _, pid := range all {
		_ = syscall.Kill(pid, sig) // it may have ended
	}
	return all
}

// A processInfo is what /proc reports about a process.
type processInfo struct {
	pid, parent int
	state       byte
}

// processes returns the processes of this machine.
func processes() (all []processInfo) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := lookup(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// lookup returns a process by its ID.
func lookup(pid int) (processInfo, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return processInfo{}, false
	}
	// The name of the program stands in parentheses and may contain spaces.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	return processInfo{pid, parent, fields[0][0]}, err == nil
}

// running reports whether a process has not ended. A zombie has ended.
func running(pid int) bool {
	p, ok := lookup(pid)
	return ok && p.state != 'Z' && p.state != 'X'
}

// descendants returns the children of a process, their children, and so on.
func descendants(pid int) (pids []int) {
	all := processes()
	for found := []int{pid}; len(found) > 0; {
		parent := found[0]
		found = found[1:]
		for _, p := range all {
			if p.parent == parent {
				found, pids = append(found, p.pid), append(pids, p.pid)
			}
		}
	}
	return pids
}

// unprivileged returns attributes of a process that runs as an ordinary user, and gives dir to
// that user. It returns nil if the test itself runs as an ordinary user.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	const ordinary = 65534
	if err := os.Chown(dir, ordinary, ordinary); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
}
