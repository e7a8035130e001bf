// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"baton/task"
)

// httpShape measures the CPU time of an HTTP server for each request, with a number of persistent
// connections. The answers have a body of size bytes. The flags are more flags of the server. The
// peer is the server of net/http with the same handler.
func httpShape(name string, connections, size int, limit float64, flags ...string) shape {
	l := load{connections: connections, size: size, http: true}
	return shape{
		name: fmt.Sprintf("%s/%d", name, connections), unit: "ns/request", limit: limits(limit, limit),
		whole: true, processes: true,
		ours: func(h task.Handoff) side {
			return l.on(func() (*exec.Cmd, error) {
				return l.httpServer(append(flags, "-style", "baton", "-handoff", h.String())...)
			})
		},
		peers: []peer{{name: "net/http", limited: true, side: l.on(func() (*exec.Cmd, error) {
			return l.httpServer(append(flags, "-style", "nethttp")...)
		})}},
	}
}

func (l load) httpServer(args ...string) (*exec.Cmd, error) {
	dir, err := goPrograms()
	if err != nil {
		return nil, err
	}
	args = append(args, "-port", "0", "-for", serverLife.String(), "-size", strconv.Itoa(l.size))
	return exec.Command(filepath.Join(dir, "httpserver"), args...), nil
}

// httpClientShape measures the CPU time of an HTTP client for each request, with a number of
// concurrent requests. The peer is the client of net/http on goroutines. The server is that of
// net/http for both.
func httpClientShape(workers int, limit float64) shape {
	l := load{connections: workers, size: 1 << 10, http: true}
	return shape{
		name: fmt.Sprintf("httpclient/%d", workers), unit: "ns/request", limit: limits(limit, limit),
		whole: true, processes: true,
		ours:  func(h task.Handoff) side { return l.httpClient("-style", "baton", "-handoff", h.String()) },
		peers: []peer{{name: "net/http", limited: true, side: l.httpClient("-style", "nethttp")}},
	}
}

// httpClient returns the side of a client with these flags.
func (l load) httpClient(flags ...string) side {
	return func(r round) (value float64, err error) {
		cmd, err := l.httpServer("-style", "nethttp")
		if err != nil {
			return 0, err
		}
		srv, addr, err := startServer(cmd, runtime.NumCPU())
		if err != nil {
			return 0, err
		}
		defer srv.kill()
		args := append(flags, "-hold", "-url", "http://"+addr+"/", "-workers", strconv.Itoa(l.connections),
			"-size", strconv.Itoa(l.size), "-for", (3 * r.least).String())
		client, err := start(withProcs(exec.Command(filepath.Join(filepath.Dir(cmd.Path), "httpclient"), args...), r.procs))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, client.end()) }()
		return measureLoad(client, client.cmd.Process.Pid)
	}
}

// byWrk makes wrk the client of the http rows: -wrk.
var byWrk bool

// wrkTime is the time for which wrk loads a server. Wrk accepts only whole seconds.
const wrkTime = time.Second

// wrk loads the server at addr with the program wrk. It returns the CPU time in nanoseconds that
// the process pid has used for each request. Connecting counts.
func (l load) wrk(addr string, pid int) (float64, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("wrk", "--threads", "1", "--connections", strconv.Itoa(l.connections),
		"--duration", wrkTime.String(), "--timeout", "1m", "http://"+addr+"/").Output()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w", err)
	}
	after, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	requests, err := wrkRequests(out)
	return float64(after-before) / float64(requests), err
}

// wrkRequests returns the number of answered requests in a report of wrk. Failed requests are an
// error.
func wrkRequests(report []byte) (n int, err error) {
	for line := range bytes.Lines(report) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("Socket errors")) || bytes.HasPrefix(line, []byte("Non-2xx")) {
			return 0, fmt.Errorf("wrk: %s", line)
		}
		if bytes.Contains(line, []byte(" requests in ")) {
			_, err = fmt.Sscanf(string(line), "%d requests", &n)
		}
	}
	if err == nil && n == 0 {
		err = fmt.Errorf("wrk: its report does not contain a number of requests: %q", report)
	}
	return n, err
}
