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

// patience bounds each scenario. Only a program that hangs needs so long.
const patience = 2 * time.Minute

// A program is one run of an example, as a process.
type program struct {
	// command is the directory of the example, and its arguments. In command, until, stdout and
	// stderr, {name} stands for a value.
	command string

	// ready matches what the program prints, to standard output or standard error, when the
	// next program may start. A group (?P<name>...) sets the value of name.
	ready string

	// certificate means that the program writes a certificate to standard output. The value of
	// cafile is the name of a file with the certificate.
	certificate bool

	// listens is an address that the program listens on, for a program that prints nothing when
	// it is ready. The tests take a lock, so that two runs of them do not use the address at
	// the same time.
	listens string

	// signal, unless zero, is sent when the programs that started later have ended, and until
	// has been printed. If early is true, it is sent before they have ended.
	signal syscall.Signal
	until  string
	early  bool

	// stdout and stderr match the whole output of the program, and status is its exit status;
	// -1 means that a signal has ended it.
	stdout, stderr string
	status         int
}

// A scenario has programs that run at the same time, in the order of their starts.
type scenario struct {
	name     string
	programs []program
}

// run starts the programs one after the other, and waits for their ends in reverse order.
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

// A process is a running program, and its output so far.
type process struct {
	program
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // the error of Wait

	mu             sync.Mutex
	stdout, stderr []byte
	printed        chan struct{} // closed, and replaced, when the output grows
}

// A pipe appends to the output of a process.
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

// start starts a program. The end of the test kills the process.
func start(ctx context.Context, t *testing.T, binaries string, prog program, values map[string]string) *process {
	t.Helper()
	for name, value := range values {
		prog.command = strings.ReplaceAll(prog.command, "{"+name+"}", value)
		for _, pattern := range []*string{&prog.until, &prog.stdout, &prog.stderr} {
			*pattern = strings.ReplaceAll(*pattern, "{"+name+"}", regexp.QuoteMeta(value))
		}
	}
	if prog.listens != "" {
		lockAddresses(t)
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
	t.Cleanup(func() { <-p.done }) // the test cancels the process's context before
	return p
}

// lockAddresses makes other runs of the tests wait until this test ends.
func lockAddresses(t *testing.T) {
	t.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("baton-examples-%d.lock", os.Getuid()))
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() }) // this also unlocks the file
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// awaitReady waits until the next program may start, and stores the values that the output has.
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
		case <-time.After(10 * time.Millisecond): // the program prints nothing to wait for
		}
	}
}

// await waits until the output matches a pattern, and returns the match.
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

// interrupt waits for until and sends the signal, if the program has one.
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

// end waits for the end of the process, and checks its output and its status.
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

// slow matches what a program reports when the machine is busy: reports of the watchdog, with
// their stacks, and reports of tasks that have not ended after a signal.
var slow = regexp.MustCompile(`(?m)^\S+ \S+ loop: .* has held the baton for .*\n(\S.*\n\t.*\n)*|` +
	`^signal: \w+: the program has not ended yet; .*\n(\t.*\n)*`)

// fail fails the test with the output of the process.
func (p *process) fail(what string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.Fatalf("%s %s\n--- stdout:\n%s--- stderr:\n%s", p.command, what, short(p.stdout), short(p.stderr))
}

// short returns the beginning and the end of a long output.
func short(text []byte) []byte {
	const most = 3000
	if len(text) <= 2*most {
		return text
	}
	return bytes.Join([][]byte{text[:most], text[len(text)-most:]}, []byte("\n[...]\n"))
}
