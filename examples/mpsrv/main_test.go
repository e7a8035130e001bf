// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"baton/examples/internal/programtest"
)

func TestMain(m *testing.M) {
	if programtest.IsProgram() {
		main()
	}
	goleak.VerifyTestMain(m)
}

// A site is a run of mpsrv, and the directory that it serves.
type site struct {
	*programtest.Program
	t   *testing.T
	dir string
}

// start starts mpsrv in a directory with files, and returns when it serves.
func start(t *testing.T, flags ...string) *site {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int64{"page.txt": 0, ".secret": 0, "big": bigSize} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("A page.\n"), 0o600), os.Truncate(path, max(size, 8))); err != nil {
			t.Fatal(err)
		}
	}
	return &site{programtest.Start(t, append([]string{"--dir", dir}, flags...)...), t, dir}
}

// get makes a request over a new connection, and fails the test if the answer has another
// status or text.
func (s *site) get(path string, status int) {
	s.t.Helper()
	resp := s.request(path)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); resp.StatusCode != status || status == 200 && string(text) != "A page.\n" {
		s.t.Fatalf("%s: %s, %q, %v", path, resp.Status, text, err)
	}
}

// request makes a request over a new connection.
func (s *site) request(path string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.Ctx, "GET", "http://"+s.Address+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.Output())
	}
	return resp
}

// Each worker serves, and prints its requests with its process number.
func TestEachWorkerServes(t *testing.T) {
	s := start(t, "--workers", "3")
	waiting := map[string]bool{}
	for range 3 {
		waiting[strconv.Itoa(s.Worker())] = true
	}
	for len(waiting) > 0 {
		s.get("/page.txt", 200)
		delete(waiting, s.Await(`(\d+): GET /page\.txt HTTP/1\.1\n`))
	}
	s.get("/.secret", 404)
	s.get("/nowhere", 404)
}

// The supervisor replaces a worker that has died, and a worker that does not answer. The other
// workers serve in the meantime.
func TestWorkersAreReplaced(t *testing.T) {
	s := start(t, "--ping", "20ms", "--silence", "10s")
	workers := []int{s.Worker(), s.Worker()}

	s.Signal(workers[0], syscall.SIGKILL)
	s.Await(fmt.Sprintf(`(worker %d: signal: killed: it is replaced)`, workers[0]))
	if workers[0] = s.Worker(); workers[0] == workers[1] {
		t.Error("the new worker is the old one")
	}
	s.get("/page.txt", 200)

	s.Signal(workers[1], syscall.SIGSTOP)
	s.Await(fmt.Sprintf(`(worker %d was silent for 10s and is killed)\n`, workers[1]))
	s.Await(fmt.Sprintf(`(worker %d: signal: killed: it is replaced)`, workers[1]))
	s.Worker()
	s.get("/page.txt", 200)
}

// The supervisor pauses before it replaces a worker that died at its start. The pauses double.
// The other worker serves in the meantime: the start of a worker leaves the socket
// non-blocking.
func TestPausesDouble(t *testing.T) {
	s := start(t)
	pid := s.Worker()
	s.Worker()
	if err := os.RemoveAll(s.dir); err != nil { // later workers have nothing to serve
		t.Fatal(err)
	}
	s.Signal(pid, syscall.SIGKILL)
	for _, pause := range []string{"100ms", "200ms", "400ms"} {
		if got := s.Await(`exit status 1: it is replaced after (\S+)\n`); got != pause {
			t.Errorf("a pause of %s, want %s", got, pause)
		}
		s.get("/page.txt", 404)
	}
}

// When the supervisor is killed, the workers end.
func TestWorkersEndWithTheSupervisor(t *testing.T) {
	s := start(t)
	s.Worker()
	s.Worker()
	s.Signal(s.PID, syscall.SIGKILL)
	if status, output := s.End(); status != -1 {
		t.Errorf("status %d\n%s", status, output)
	}
}

// bigSize is more than the buffers of a connection hold.
const bigSize = 64 << 20

// A signal ends the supervisor and its workers. The workers finish their requests before.
func TestGracefulEnd(t *testing.T) {
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		s := start(t)
		workers := []int{s.Worker(), s.Worker()}
		resp := s.request("/big")
		s.Signal(s.PID, sig)
		n, err := io.Copy(io.Discard, resp.Body)
		if resp.Body.Close(); n != bigSize || err != nil {
			t.Errorf("%v: the answer is cut off after %d bytes: %v", sig, n, err)
		}
		got, output := s.End()
		if got != status || strings.Contains(output, "replaced") {
			t.Errorf("%v: status %d\n%s", sig, got, output)
		}
		s.Gone(workers...)
	}
}

// The supervisor fails at once if the directory does not exist, or if there are no workers.
func TestWrongFlags(t *testing.T) {
	for want, flags := range map[string][]string{
		"no such file":                {"--dir", filepath.Join(t.TempDir(), "none")},
		"set --workers to at least 1": {"--workers", "0"},
	} {
		cmd := programtest.Command(t.Context(), append(flags, "--port", "0")...)
		output, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(output), want) {
			t.Errorf("%v: %v: %s", flags, err, output)
		}
	}
}
