// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) {
	log.SetFlags(0)
	goleak.VerifyTestMain(m)
}

// A server replaces cachesvr. It answers the requests in their order, each after a second.
type server struct {
	netio.Server
	table    map[string]string
	conns    int
	received []string
	wrong    func(id int) string // returns the answer to send instead; "" changes nothing
}

// start starts the server as a task.
func (sv *server) start(ctx context.Context) error {
	sv.table = map[string]string{}
	ln, err := netio.Listen(ctx, "tcp", "localhost:54321")
	if err != nil {
		return err
	}
	task.Go(ctx, func(ctx context.Context) error { return sv.ServeListener(ctx, ln, sv.handle) })
	return nil
}

func (sv *server) handle(ctx context.Context, s *netio.Stream) error {
	sv.conns++
	for id := 1; ; id++ {
		header, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		var got, size int
		if _, err := fmt.Sscanf(header, "request %d %d", &got, &size); err != nil || got != id {
			return fmt.Errorf("header %q of request %d: %v", header, id, err)
		}
		body := make([]byte, size)
		if _, err := s.ReadFull(ctx, body); err != nil {
			return err
		}
		sv.received = append(sv.received, string(body))
		if err := await.Sleep(ctx, time.Second); err != nil {
			return err
		}
		if sv.wrong != nil {
			if answer := sv.wrong(id); answer != "" {
				_, err := s.Write(ctx, []byte(answer))
				return err
			}
		}
		answer := sv.answer(body)
		if _, err := s.Write(ctx, fmt.Appendf(nil, "response %d %d\r\n%s\r\n", id, len(answer)+2, answer)); err != nil {
			return err
		}
	}
}

func (sv *server) answer(body []byte) string {
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		return fmt.Sprintf(`{"error": %q}`, err)
	}
	value, found := sv.table[req.Key]
	switch {
	case req.Type == "set":
		sv.table[req.Key] = req.Value
	case !found:
		return `{"status": "notfound"}`
	case req.Type == "get":
		return fmt.Sprintf(`{"status": "ok", "value": %q}`, value)
	case req.Type == "delete":
		delete(sv.table, req.Key)
	}
	return `{"status": "ok"}`
}

// both runs the client and a server for d.
func both(ctx context.Context, sv *server, d time.Duration) error {
	sv.Grace = -1
	return await.Timeout(ctx, d, func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			if err := sv.start(ctx); err != nil {
				return err
			}
			defer sv.Close()
			return run(ctx)
		})
	})
}

// play runs the client and a server in a simulated world for d, and prints the log.
func play(sv *server, d time.Duration) error {
	log.SetOutput(os.Stdout)
	defer log.SetOutput(os.Stderr)
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	return runner.Run(context.Background(), func(ctx context.Context) error { return both(ctx, sv, d) })
}

// set sets flags for a test, and returns a function that resets them.
func set(tasks int, limit time.Duration) (reset func()) {
	*ntasks, *timeout = tasks, limit
	return func() { *ntasks, *timeout = 10, 5*time.Second }
}

// Two tasks share a connection.
func Example() {
	defer set(2, 5*time.Second)()
	sv := &server{}
	fmt.Println(play(sv, 8500*time.Millisecond))
	fmt.Println(sv.conns)
	// Output:
	// 0 --------------------
	// 1 --------------------
	// 0 set true
	// 1 set true
	// 0 get hello-0-world
	// 1 get hello-1-world
	// 0 del true
	// 1 del true
	// 0 get2 none
	// 0 --------------------
	// 1 get2 none
	// 1 --------------------
	// await: timeout after 8.5s: context deadline exceeded
	// 1
}

// The client gives up a request after the timeout, and drops its late response.
func Example_timeout() {
	defer set(1, 500*time.Millisecond)()
	fmt.Println(play(&server{}, 2*time.Second))
	// Output:
	// 0 --------------------
	// 0 Timeout
	// 0 --------------------
	// 0 Timeout
	// 0 --------------------
	// 0 Timeout
	// 0 --------------------
	// await: timeout after 2s: context deadline exceeded
}

// When a connection fails, the client connects again. It sends the requests again that have no
// response.
func Example_again() {
	defer set(2, 5*time.Second)()
	failed := false
	sv := &server{wrong: func(id int) string {
		if failed || id < 2 {
			return ""
		}
		failed = true
		return "error random failure\r\n"
	}}
	fmt.Println(play(sv, 5500*time.Millisecond))
	fmt.Println(strings.Join(sv.received, "\n"))
	// Output:
	// 0 --------------------
	// 1 --------------------
	// 0 set true
	// Error: bad frame "error random failure"; sleep 0s
	// 1 set true
	// 0 get hello-0-world
	// 1 get hello-1-world
	// await: timeout after 5.5s: context deadline exceeded
	// {"type":"set","key":"foo-0","value":"hello-0-world"}
	// {"type":"set","key":"foo-1","value":"hello-1-world"}
	// {"type":"set","key":"foo-1","value":"hello-1-world"}
	// {"type":"get","key":"foo-0","value":""}
	// {"type":"get","key":"foo-1","value":""}
	// {"type":"delete","key":"foo-0","value":""}
}

// When a request has failed on too many connections, its task ends. The client then ends too.
func Example_tries() {
	defer set(1, time.Hour)()
	sv := &server{wrong: func(int) string { return "nonsense\n" }}
	fmt.Println(play(sv, time.Minute))
	// Output:
	// 0 --------------------
	// Error: bad frame "nonsense"; sleep 0s
	// Error: bad frame "nonsense"; sleep 0s
	// Error: bad frame "nonsense"; sleep 0s
	// Error: bad frame "nonsense"; sleep 0s
	// Error: bad frame "nonsense"; sleep 0s
	// 0 Client exception: tried 5 times: bad frame "nonsense"
	// <nil>
}

// Without a server the client waits longer before each attempt to connect.
func Example_refused() {
	defer set(1, 10*time.Second)()
	log.SetOutput(os.Stdout)
	defer log.SetOutput(os.Stderr)
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, 20*time.Second, run)
	}))
	// Output:
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 1s
	// 0 --------------------
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 2.5s
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 4.75s
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 5s
	// 0 Timeout
	// 0 --------------------
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 5s
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 5s
	// await: timeout after 20s: context deadline exceeded
}

// The client does not send a request that was given up before there was a connection.
func Example_late() {
	defer set(1, 5*time.Second)()
	log.SetOutput(os.Stdout)
	defer log.SetOutput(os.Stderr)
	sv := &server{}
	sv.Grace = -1
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, 10*time.Second, func(ctx context.Context) error {
			task.Go(ctx, func(ctx context.Context) error {
				if err := await.Sleep(ctx, 6*time.Second); err != nil {
					return err
				}
				return sv.start(ctx)
			})
			return run(ctx)
		})
	}))
	fmt.Println(strings.Join(sv.received, "\n"))
	// Output:
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 1s
	// 0 --------------------
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 2.5s
	// Error: dial tcp 127.0.0.1:54321: connect: connection refused; sleep 4.75s
	// 0 Timeout
	// 0 --------------------
	// 0 set true
	// await: timeout after 10s: context deadline exceeded
	// {"type":"set","key":"foo-0","value":"hello-0-world"}
	// {"type":"get","key":"foo-0","value":""}
}

// No request gets the response to another request, for every schedule and however often
// connections fail.
func TestMixUp(t *testing.T) {
	var said strings.Builder
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	*ntries = 1000
	defer func() { *ntries = 5 }()
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		said.Reset()
		failures := 0
		sv := &server{wrong: func(id int) string {
			if id < 5 {
				return ""
			}
			failures++
			return "error random failure\r\n"
		}}
		defer set(5, time.Hour)()
		if err := both(ctx, sv, 5*time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if failures < 10 {
			t.Errorf("only %d connections have failed", failures)
		}
		for line := range strings.Lines(said.String()) {
			label, rest, _ := strings.Cut(strings.TrimSpace(line), " get ")
			if rest != "" && rest != fmt.Sprintf("hello-%s-world", label) {
				t.Errorf("unexpected line: %s", line)
			}
		}
	})
}

// With --tls the client trusts the certificate in the file of --cafile.
func TestTLS(t *testing.T) {
	var said strings.Builder
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	defer set(1, 5*time.Second)()
	*useTLS = true
	defer func() { *useTLS, *cafile = false, "" }()
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		file, err := os.Create(filepath.Join(t.TempDir(), "cert.pem"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		sv := &server{}
		if sv.TLS, err = selfsigned.Server(file, *host); err != nil {
			t.Fatal(err)
		}
		*cafile = file.Name()
		err = both(ctx, sv, 4500*time.Millisecond)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(said.String(), "0 get2 none\n") {
			t.Errorf("%v; the log is\n%s", err, &said)
		}
	})
}
