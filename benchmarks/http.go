// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"

	"baton/task"
)

// httpShape: CPU time of an HTTP server for each request with a body of size bytes in the
// answer, with so many connections that are kept. Its peer is net/http's server with the
// same handler.
func httpShape(name string, connections, size int, limit float64) shape {
	l := load{connections: connections, size: size, http: true}
	return shape{
		name: fmt.Sprintf("%s/%d", name, connections), unit: "ns/request", limit: limits(limit, limit),
		whole: true, processes: true,
		ours: func(h task.Handoff) side {
			return l.on(func() (*exec.Cmd, error) { return l.httpServer("-style", "baton", "-handoff", h.String()) })
		},
		peers: []peer{{name: "net/http", limited: true, side: l.on(func() (*exec.Cmd, error) {
			return l.httpServer("-style", "nethttp")
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
