// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin || freebsd

package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each scenario. It decides nothing unless a program hangs.
const patience = 2 * time.Minute

// A program is one run of an example, as a process of its own.
type program struct {
	// command is the directory of the example and its arguments. Here, and in until,
	// stdout and stderr, {name} stands for a value.
	command string

	// ready is printed when the next program may start, to standard output or standard
	// error. A group (?P<name>...) in it is the value of name from then on.
	ready string

	// certificate says that the program writes a certificate to standard output. The
	// value of cafile is a file with it.
	certificate bool

	// listens is for a program that prints nothing when it is ready: an address that it
	// listens on. Two runs of the tests at the same time take turns.
	listens string

	// signal, unless zero, is sent when the programs that started later have ended, and
	// until has been printed.
	// If early is true, it is sent before they have ended.
	signal syscall.Signal
	until  string
	early  bool

	// In the end the program has printed this, and nothing besides, and has this exit
	// status; -1 means that a signal has ended it.
	stdout, stderr string
	status         int
}

// A scenario is what runs at the same time, in the order of the starts.
type scenario struct {
	name     string
	programs []program
}

// run starts the programs one after the other, and waits for their ends in the opposite
// order.
func (s scenario) run(t *testing.T, binaries string, values map[string]string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	running := make([]*process, len(s.programs))
	for i, p := range s.programs {
		running[i] = start(ctx, t, binaries, p, values)
		running[i].awaitReady(ctx, values)
	}
	for _, p := range running {
		if p.early {
			p.interrupt(ctx)
		}
	}
	for _, p := range slices.Backward(running) {
		if !p.early {
			p.interrupt(ctx)
		}
		p.end(ctx)
	}
}

// A process is a program that runs, with what it has printed.
type process struct {
	program
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // of the end

	mu             sync.Mutex
	stdout, stderr []byte
	printed        chan struct{} // closed when more is printed, and made anew
}

// A pipe appends to what a process has printed.
type pipe struct {
	p  *process
	to *[]byte
}

func (w pipe) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	*w.to = append(*w.to, b...)
	close(w.p.printed)
	w.p.printed = make(chan struct{})
	return len(b), nil
}

// start starts a program. If the test ends before the process, the process is killed.
func start(ctx context.Context, t *testing.T, binaries string, prog program, values map[string]string) *process {
	t.Helper()
	for name, value := range values {
		prog.command = strings.ReplaceAll(prog.command, "{"+name+"}", value)
		for _, pattern := range []*string{&prog.until, &prog.stdout, &prog.stderr} {
			*pattern = strings.ReplaceAll(*pattern, "{"+name+"}", regexp.QuoteMeta(value))
		}
	}
	if prog.listens != "" {
		takeTurns(t)
	}
	p := &process{program: prog, t: t, done: make(chan struct{}), printed: make(chan struct{})}
	args := strings.Fields(prog.command)
	p.cmd = exec.CommandContext(ctx, filepath.Join(binaries, args[0]), args[1:]...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = pipe{p, &p.stdout}, pipe{p, &p.stderr}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { <-p.done }) // the context of the test ends before that
	return p
}

// takeTurns keeps other runs of the tests from the fixed addresses, until the test ends.
func takeTurns(t *testing.T) {
	t.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("baton-examples-%d.lock", os.Getuid()))
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() }) // the end of the lock, too
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// awaitReady waits until the next program may start.
func (p *process) awaitReady(ctx context.Context, values map[string]string) {
	p.t.Helper()
	if p.ready != "" {
		pattern := regexp.MustCompile(p.ready)
		match := p.await(ctx, pattern)
		for i, name := range pattern.SubexpNames() {
			if name != "" {
				values[name] = string(match[i])
			}
		}
	}
	if p.certificate {
		certificate := p.await(ctx, regexp.MustCompile(`(?s)-----BEGIN CERT.*-----END CERTIFICATE-----\n`))
		values["cafile"] = filepath.Join(p.t.TempDir(), "cert.pem")
		if err := os.WriteFile(values["cafile"], certificate[0], 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	for p.listens != "" {
		conn, err := net.Dial("tcp", p.listens)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-p.done:
			p.fail("has ended and does not listen on " + p.listens)
		case <-ctx.Done():
			p.fail("does not listen on " + p.listens)
		case <-time.After(10 * time.Millisecond): // the program gives no sign
		}
	}
}

// await waits until a pattern has been printed, and returns its match.
func (p *process) await(ctx context.Context, pattern *regexp.Regexp) [][]byte {
	p.t.Helper()
	for ended := false; ; {
		p.mu.Lock()
		match := pattern.FindSubmatch(p.stdout)
		if match == nil {
			match = pattern.FindSubmatch(p.stderr)
		}
		printed := p.printed
		p.mu.Unlock()
		if match != nil {
			return match
		}
		if ended {
			p.fail(fmt.Sprintf("has ended without printing %q", pattern))
		}
		select {
		case <-printed:
		case <-p.done:
			ended = true
		case <-ctx.Done():
			p.fail(fmt.Sprintf("does not print %q", pattern))
		}
	}
}

// interrupt sends the signal, if there is one.
func (p *process) interrupt(ctx context.Context) {
	p.t.Helper()
	if p.until != "" {
		p.await(ctx, regexp.MustCompile(p.until))
	}
	if p.signal != 0 {
		if err := p.cmd.Process.Signal(p.signal); err != nil {
			p.fail(fmt.Sprintf("does not get its signal: %v", err))
		}
	}
}

// end waits for the end of the process and checks what it has printed.
func (p *process) end(ctx context.Context) {
	p.t.Helper()
	<-p.done
	if ctx.Err() != nil {
		p.fail("does not end")
	}
	if exit := (*exec.ExitError)(nil); p.err != nil && !errors.As(p.err, &exit) {
		p.fail(p.err.Error())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != p.status {
		p.fail(fmt.Sprintf("ends with status %d, want %d", got, p.status))
	}
	for _, printed := range []struct {
		where, want string
		got         []byte
	}{{"stdout", p.program.stdout, p.stdout}, {"stderr", p.program.stderr, slow.ReplaceAll(p.stderr, nil)}} {
		if !regexp.MustCompile("^(?s:" + printed.want + ")$").Match(printed.got) {
			p.fail(fmt.Sprintf("prints to %s what does not match %q", printed.where, printed.want))
		}
	}
}

// slow finds what a program reports when the machine is busy: the watchdog's reports, with
// their stacks, and that the end after a signal takes a while.
var slow = regexp.MustCompile(`(?m)^\S+ \S+ loop: .* has held the baton for .*\n(\S.*\n\t.*\n)*|` +
	`^signal: \w+: the program has not ended yet; .*\n(\t.*\n)*`)

// fail ends the test.
func (p *process) fail(what string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.Fatalf("%s %s\n--- stdout:\n%s--- stderr:\n%s", p.command, what, short(p.stdout), short(p.stderr))
}

// short is the beginning and the end of a long output.
func short(text []byte) []byte {
	const most = 3000
	if len(text) <= 2*most {
		return text
	}
	return bytes.Join([][]byte{text[:most], text[len(text)-most:]}, []byte("\n[...]\n"))
}
