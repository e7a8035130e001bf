// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram in the environment makes this test the program itself.
const asProgram = "MPSRV_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// patience bounds each test. It decides nothing unless a program hangs.
const patience = 2 * time.Minute

// A program is a run of mpsrv. What its workers print comes from the same pipe, so the
// output ends when no process is left.
type program struct {
	t       *testing.T
	ctx     context.Context
	cmd     *exec.Cmd
	dir     string // what it serves
	address string
	ended   chan error // gets the end of all processes

	mu      sync.Mutex
	output  []byte
	seen    int           // bytes of output that the test has waited for
	printed chan struct{} // closed when more is printed, and made anew
}

// Write takes output.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.output = append(p.output, b...)
	close(p.printed)
	p.printed = make(chan struct{})
	return len(b), nil
}

// start starts mpsrv in a directory with two files, and returns when it serves.
func start(t *testing.T, flags ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	dir := t.TempDir()
	for name, size := range map[string]int64{"page.txt": 0, ".secret": 0, "big": bigSize} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("A page.\n"), 0o600), os.Truncate(path, max(size, 8))); err != nil {
			t.Fatal(err)
		}
	}
	p := &program{t: t, ctx: ctx, dir: dir, ended: make(chan error, 1), printed: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, os.Args[0], append([]string{"--port", "0", "--dir", dir}, flags...)...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.WaitDelay = patience // for workers that outlive the supervisor
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { cancel(); <-ended })
	p.address = p.await(`serving on (\S+)\n`)
	return p
}

// text is the whole output.
func (p *program) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.output)
}

// await waits until a pattern has been printed after what was awaited before, and returns
// its group.
func (p *program) await(pattern string) string {
	p.t.Helper()
	compiled := regexp.MustCompile(pattern)
	for {
		p.mu.Lock()
		found := compiled.FindSubmatchIndex(p.output[p.seen:])
		printed, from := p.printed, p.output[p.seen:]
		if found != nil {
			p.seen += found[1]
		}
		p.mu.Unlock()
		if found != nil {
			return string(from[found[2]:found[3]])
		}
		select {
		case <-printed:
		case <-p.ctx.Done():
			p.t.Fatalf("no %q in\n%s", pattern, p.text())
		}
	}
}

// serves waits for a worker that serves, and returns its pid.
func (p *program) serves() int {
	p.t.Helper()
	pid, err := strconv.Atoi(p.await(`worker (\d+) serves\n`))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// signal sends a signal to the supervisor or a worker.
func (p *program) signal(pid int, sig syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the end of all processes, and returns the status and the whole output.
func (p *program) end() (status int, output string) {
	p.t.Helper()
	if err := <-p.ended; p.ctx.Err() != nil {
		p.t.Fatalf("no end (%v):\n%s", err, p.text())
	}
	return p.cmd.ProcessState.ExitCode(), p.text()
}

// get makes a request over a connection of its own, with the status and the length that are
// wanted.
func (p *program) get(path string, status int) {
	p.t.Helper()
	resp := p.ask(path)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); resp.StatusCode != status || status == 200 && string(text) != "A page.\n" {
		p.t.Fatalf("%s: %s, %q, %v", path, resp.Status, text, err)
	}
}

func (p *program) ask(path string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.ctx, "GET", "http://"+p.address+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.text())
	}
	return resp
}

// Each worker serves, and prints its requests with its number.
func TestSeveralWorkers(t *testing.T) {
	p := start(t, "--workers", "3")
	waiting := map[string]bool{}
	for range 3 {
		waiting[strconv.Itoa(p.serves())] = true
	}
	for len(waiting) > 0 {
		p.get("/page.txt", 200)
		delete(waiting, p.await(`(\d+): GET /page\.txt HTTP/1\.1\n`))
	}
	p.get("/.secret", 404)
	p.get("/nowhere", 404)
}

// A worker that has died is replaced, and so is one that does not answer. The others serve
// in the meantime.
func TestWorkersAreReplaced(t *testing.T) {
	p := start(t, "--ping", "20ms", "--silence", "5s")
	workers := []int{p.serves(), p.serves()}

	p.signal(workers[0], syscall.SIGKILL)
	p.await(fmt.Sprintf(`(worker %d: signal: killed: it is replaced)`, workers[0]))
	if workers[0] = p.serves(); workers[0] == workers[1] {
		t.Error("not another one")
	}
	p.get("/page.txt", 200)

	p.signal(workers[1], syscall.SIGSTOP)
	p.await(fmt.Sprintf(`(worker %d was silent for 5s and is killed)\n`, workers[1]))
	p.await(fmt.Sprintf(`(worker %d: signal: killed: it is replaced)`, workers[1]))
	p.serves()
	p.get("/page.txt", 200)
}

// Workers that die at their start are replaced after pauses, which double. The other worker
// serves in the meantime: no start of a worker makes the socket block.
func TestPauses(t *testing.T) {
	p := start(t)
	pid := p.serves()
	p.serves()
	if err := os.RemoveAll(p.dir); err != nil { // later workers have nothing to serve
		t.Fatal(err)
	}
	p.signal(pid, syscall.SIGKILL)
	for _, pause := range []string{"100ms", "200ms", "400ms"} {
		if got := p.await(`exit status 1: it is replaced after (\S+)\n`); got != pause {
			t.Errorf("a pause of %s, want %s", got, pause)
		}
		p.get("/page.txt", 404)
	}
}

// When the supervisor is killed, the workers find the end of their pipes.
func TestNoOrphans(t *testing.T) {
	p := start(t)
	p.serves()
	p.serves()
	p.signal(p.cmd.Process.Pid, syscall.SIGKILL)
	if status, output := p.end(); status != -1 {
		t.Errorf("status %d\n%s", status, output)
	}
}

// bigSize is more than sockets hold.
const bigSize = 64 << 20

// A signal ends the supervisor and its workers when these have finished their requests.
func TestEndInOrder(t *testing.T) {
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		p := start(t)
		p.serves()
		p.serves()
		resp := p.ask("/big")
		p.signal(p.cmd.Process.Pid, sig)
		n, err := io.Copy(io.Discard, resp.Body)
		if resp.Body.Close(); n != bigSize || err != nil {
			t.Errorf("%v: the answer is cut off after %d bytes: %v", sig, n, err)
		}
		got, output := p.end()
		if got != status || strings.Contains(output, "replaced") {
			t.Errorf("%v: status %d\n%s", sig, got, output)
		}
	}
}

// What the supervisor cannot serve, it does not start workers for.
func TestNothingToServe(t *testing.T) {
	var output bytes.Buffer
	cmd := exec.Command(os.Args[0], "--port", "0", "--dir", filepath.Join(t.TempDir(), "none"))
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(output.String(), "no such file") {
		t.Errorf("%v: %s", err, &output)
	}
}
