// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Mpsrv serves the files of a directory by HTTP, with several processes: each has a loop of
// its own, and so one processor. It shows a listening socket that processes share, and a
// supervisor that replaces workers.
//
//	go run ./examples/mpsrv --workers 4   # Ctrl-C ends it
//
// A worker is this program again, which has inherited the sockets of the supervisor. The
// two talk over a pair of pipes: the supervisor writes a line now and then, and the worker
// sends it back. A worker that has died is replaced at once, and one that was silent for too
// long is killed and replaced. The end of its pipe tells a worker to finish its requests and
// to end. That is how the supervisor ends the workers, and what they find if it has died.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/task"
)

var (
	host    = flag.String("host", "127.0.0.1", "host name")
	port    = flag.Int("port", 8080, "port number")
	dir     = flag.String("dir", ".", "what to serve")
	workers = flag.Int("workers", 2, "number of processes that serve")
	ping    = flag.Duration("ping", 15*time.Second, "how often a worker is asked for a sign of life")
	silence = flag.Duration("silence", 30*time.Second, "how long a worker may give none")
	sockets = flag.Int("sockets", 0, "be a worker, which has inherited this number of sockets")
)

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error {
		if *sockets > 0 {
			return work(ctx, os.Stdout)
		}
		return supervise(ctx, os.Stdout)
	})
}

func supervise(ctx context.Context, log io.Writer) error {
	root, err := os.OpenRoot(*dir) // a worker does that itself, but would fail again and again
	if err != nil {
		return err
	}
	root.Close()
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	defer ln.Close()
	files, err := duplicates(ln)
	if err != nil {
		return err
	}
	for _, f := range files {
		defer f.Close()
	}
	fmt.Fprintln(log, "serving on", ln.Addr())
	return task.Scope(ctx, func(ctx context.Context) error {
		for range *workers {
			task.Go(ctx, func(ctx context.Context) error { return keep(ctx, log, files) })
		}
		return nil
	})
}

// duplicates returns the sockets of a listener as files, for children. The File of a listener
// of package net would not do: os/exec makes it block, for all who share the socket, and then
// a worker that is too late for a connection would hold its loop until the next one.
func duplicates(ln *netio.Listener) (files []*os.File, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	outer := raw.Control(func(fd uintptr) {
		copied, failed := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		if failed != nil {
			err = os.NewSyscallError("fcntl", failed)
			return
		}
		files = append(files, os.NewFile(uintptr(copied), "listener"))
	})
	if err == nil {
		err = outer
	}
	return files, err
}
