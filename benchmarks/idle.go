// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os/exec"

	"baton/task"
)

// idleWarmUp is the number of connections before the memory of a server is read for the first time.
// So memory that the server needs only once, such as the code of a handshake, does not count.
const idleWarmUp = 20

// idleShape measures the resident bytes of an echo server for each connection that has transferred
// a few messages of 1 KiB and is idle. Style is the style of our server; the style baton uses
// netio.Copy. Each connection of the peer has a buffer of 4 KiB.
func idleShape(name, style string, crypt bool, limit float64) shape {
	l := load{connections: idle, size: 1 << 10, tls: crypt}
	return shape{
		name: name, unit: "B/connection", limit: limits(limit, limit),
		whole: true, given: true, apart: true, processes: true,
		ours: func(h task.Handoff) side {
			return l.idle(func() (*exec.Cmd, error) {
				return goServer("-style", style, "-copy", "-handoff", h.String(), l.flag(), "-collect")
			})
		},
		peers: goroutines(l.idle(func() (*exec.Cmd, error) { return goServer("-style", "goroutines", l.flag(), "-collect") })),
	}
}

// idleHTTPShape is idleShape for a persistent HTTP connection that was used before.
func idleHTTPShape(name string, limit float64) shape {
	l := load{connections: idle, size: 12, http: true}
	return shape{
		name: name, unit: "B/connection", limit: limits(limit, limit),
		whole: true, given: true, apart: true, processes: true,
		ours: func(h task.Handoff) side {
			return l.idle(func() (*exec.Cmd, error) {
				return l.httpServer("-style", "baton", "-handoff", h.String(), "-collect")
			})
		},
		peers: []peer{{name: "net/http", limited: true, side: l.idle(func() (*exec.Cmd, error) {
			return l.httpServer("-style", "nethttp", "-collect")
		})}},
	}
}

// idle returns the side that measures a server with the flag -collect.
func (l load) idle(server func() (*exec.Cmd, error)) side {
	return func(r round) (float64, error) {
		cmd, err := server()
		if err != nil {
			return 0, err
		}
		srv, addr, err := startServer(cmd, r.procs)
		if err != nil {
			return 0, err
		}
		defer srv.kill()
		var sizes []int
		for _, n := range []int{idleWarmUp, l.connections} {
			clients, err := load{connections: n, size: l.size, tls: l.tls, http: l.http}.start(addr, 0)
			if err != nil {
				return 0, err
			}
			defer clients.kill()
			size, err := sizeWith(clients, srv)
			if err != nil {
				return 0, err
			}
			sizes = append(sizes, size)
		}
		return float64(sizes[1]-sizes[0]) / float64(l.connections), nil
	}
}

// sizeWith waits until the clients are connected, makes the server free unused memory, and returns
// the resident bytes of the server.
func sizeWith(clients, srv *program) (int, error) {
	if err := connected(clients); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(srv.in, "collect\n"); err != nil {
		return 0, err
	}
	if err := srv.expect("collected\n"); err != nil {
		return 0, err
	}
	return residentBytes(srv.cmd.Process.Pid)
}
