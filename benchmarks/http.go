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

// httpShape: CPU time of an HTTP server for each request, with so many connections that are
// kept. Its answers have a body of size bytes. The flags are more flags of the server. Its
// peer is net/http's server with the same handler.
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

// httpClientShape: CPU time of an HTTP client for each request, with so many requests at
// once. Its peer is net/http's client on goroutines. The server is net/http's for both.
func httpClientShape(workers int, limit float64) shape {
	l := load{connections: workers, size: 1 << 10, http: true}
	return shape{
		name: fmt.Sprintf("httpclient/%d", workers), unit: "ns/request", limit: limits(limit, limit),
		whole: true, processes: true,
		ours:  func(h task.Handoff) side { return l.httpClient("-style", "baton", "-handoff", h.String()) },
		peers: []peer{{name: "net/http", limited: true, side: l.httpClient("-style", "nethttp")}},
	}
}

// httpClient is the side of a client with these flags.
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

// byWrk has the http rows loaded by wrk; -wrk.
var byWrk bool

// wrkTime is how long wrk loads a server: it counts whole seconds.
const wrkTime = time.Second

// wrk has wrk load the server at addr, and returns the nanoseconds of CPU time that the
// process pid has spent on each request. Connecting counts.
func (l load) wrk(addr string, pid int) (float64, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("wrk", "--threads", "1", "--connections", strconv.Itoa(l.connections),
		"--duration", wrkTime.String(), "http://"+addr+"/").Output()
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

// wrkRequests finds in the report of wrk how many requests were answered. Any that failed
// are an error.
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
		err = fmt.Errorf("wrk: no requests in its report %q", report)
	}
	return n, err
}
