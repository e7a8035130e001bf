// SPDX-License-Identifier: Apache-2.0

// Mpsrv serves the files of a directory over HTTP, with several processes. Each process has
// its own loop, so the server uses several processors. The example shows a listening socket
// that processes share, and a supervisor that replaces workers.
//
//	go run ./examples/mpsrv --workers 4   # Ctrl-C ends it
//
// A worker is this program, started again with the sockets of the supervisor: see
// examples/internal/prefork. The supervisor replaces a worker that has died, and kills and
// replaces a worker that is silent for too long. After Ctrl-C the workers finish their
// requests.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"baton/examples/internal/prefork"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

var (
	host       = flag.String("host", "127.0.0.1", "host name")
	port       = flag.Int("port", 8080, "port number")
	dir        = flag.String("dir", ".", "directory to serve")
	supervisor = prefork.Flags(2)
)

func main() {
	flag.Parse()
	task.Main(run)
}

// run is the supervisor or a worker. The supervisor opens the directory as well: if that
// fails, no worker could serve.
func run(ctx context.Context) error {
	root, err := os.OpenRoot(*dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if prefork.IsWorker() {
		server := &httpio.Server{
			Handler:           logged(os.Stdout, http.FileServerFS(root.FS())),
			ReadHeaderTimeout: time.Minute,
			IdleTimeout:       75 * time.Second,
			Grace:             prefork.Grace,
		}
		return prefork.Work(ctx, server.Serve)
	}
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	defer ln.Close()
	fmt.Println("serving on", ln.Addr())
	return supervisor.Run(ctx, ln)
}

// logged prints each request with the number of this process. Clients do not see files whose
// names begin with a dot.
func logged(log io.Writer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(log, "%d: %s %s %s\n", os.Getpid(), r.Method, r.RequestURI, r.Proto)
		if strings.Contains(r.URL.Path, "/.") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
