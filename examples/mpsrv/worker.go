// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"baton/netio"
	"baton/netio/httpio"
	"baton/netio/process"
	"baton/task"
)

// firstFile is the descriptor of the pipe for the pongs. Those of the sockets follow.
const firstFile = 3

// work serves the inherited sockets until the supervisor closes the pipe for the pings, or
// has died.
func work(ctx context.Context, log io.Writer) error {
	root, err := os.OpenRoot(*dir)
	if err != nil {
		return err
	}
	defer root.Close()
	pings, err := process.ReadPipe(ctx, os.Stdin)
	if err != nil {
		return err
	}
	defer pings.Close()
	file := os.NewFile(firstFile, "pongs")
	pongs, err := process.WritePipe(ctx, file)
	file.Close() // the stream has a duplicate, and so has a listener
	if err != nil {
		return err
	}
	defer pongs.Close()
	server := &httpio.Server{
		Handler:           printed(log, http.FileServerFS(root.FS())),
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       75 * time.Second,
		Grace:             grace,
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		for i := range *sockets {
			file := os.NewFile(uintptr(firstFile+1+i), "listener")
			ln, err := netio.FileListener(ctx, file)
			file.Close()
			if err != nil {
				return err
			}
			task.Go(ctx, func(ctx context.Context) error { return server.Serve(ctx, ln) })
		}
		answer(ctx, pings, pongs)
		return server.Shutdown(ctx) // lets the requests finish
	})
}

// answer sends all lines back. It returns when there are no more, or on a cancel.
func answer(ctx context.Context, pings, pongs *netio.Stream) {
	for line, err := range pings.Lines(ctx) {
		if err != nil {
			return
		}
		if _, err := pongs.Write(ctx, []byte(line+"\n")); err != nil {
			return
		}
	}
}

// printed prints each request, after the number of this process. Files whose names begin
// with a dot are not there for clients.
func printed(log io.Writer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(log, "%d: %s %s %s\n", os.Getpid(), r.Method, r.RequestURI, r.Proto)
		if strings.Contains(r.URL.Path, "/.") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
