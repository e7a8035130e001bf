// SPDX-License-Identifier: Apache-2.0

// Echoserver is the server of the echo and bulk rows: it sends back what it receives, on
// a port of the loopback. It says on which address it listens and nothing else,
// and ends by itself.
//
//	echoserver -port 0 -style baton -handoff coroutine
//	listening on 127.0.0.1:40713
//
// Both styles have one reader and writer for each connection, and TCP_NODELAY.
// Their buffer has 4 KiB, unless -buffer says otherwise; with -copy the style baton
// uses netio.Copy, which chooses its buffers itself. With -idle a connection that
// brings nothing for so long ends. With -tls the server has a certificate that it makes
// at its start, and resumes no session. With -udp it sends datagrams back, all of them by
// one task or goroutine. With -collect it frees what memory it can for
// each line of its standard input, and answers with a line. c/echo.c is their peer in C.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime/pprof"
	"strconv"
	"time"

	"baton/benchmarks/internal/collect"
	"baton/task"
)

// A handler is what the flags say of the work of a connection.
type handler struct {
	buffer int           // bytes it reads at a time
	copy   bool          // by netio.Copy instead
	idle   time.Duration // how long a connection may bring nothing; 0 has no limit
	tls    *tls.Config   // nil is without TLS
	udp    bool          // it is datagrams instead
}

// listening is told the address as soon as clients can connect.
type listening func(net.Addr)

func main() {
	var (
		port    = flag.Int("port", 7000, "the `port` on 127.0.0.1; 0 is any free one")
		style   = flag.String("style", "baton", "baton, protocol or goroutines")
		handoff = flag.String("handoff", "channel", "of style baton: channel or coroutine")
		poller  = flag.String("poller", "", "of style baton: epoll or portable (default: the best one here)")
		buffer  = flag.Int("buffer", 4<<10, "`bytes` that a connection reads at a time")
		copies  = flag.Bool("copy", false, "of style baton: use netio.Copy")
		idle    = flag.Duration("idle", 0, "end a connection that brings nothing for so long; 0 has no limit")
		udp     = flag.Bool("udp", false, "send datagrams back")
		crypt   = flag.Bool("tls", false, "use TLS")
		asked   = flag.Bool("collect", false, "free memory for each line of standard input, and print collected")
		bound   = flag.Duration("for", 10*time.Minute, "how long to serve")
		profile = flag.String("cpuprofile", "", "write a CPU profile of all that time to this `file`")
	)
	flag.Parse()
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			fmt.Fprintln(os.Stderr, "echoserver:", err)
			os.Exit(1)
		}
		defer stop()
	}
	work := handler{buffer: *buffer, copy: *copies, idle: *idle, udp: *udp}
	if *crypt {
		config, err := serverTLS()
		if err != nil {
			fmt.Fprintln(os.Stderr, "echoserver:", err)
			os.Exit(1)
		}
		work.tls = config
	}
	if *asked {
		go collect.ForEachLine(os.Stdin, os.Stdout)
	}
	if err := serve(*port, *style, *handoff, *poller, *bound, work); err != nil {
		fmt.Fprintln(os.Stderr, "echoserver:", err)
		os.Exit(1)
	}
}

func serve(port int, style, handoff, poller string, bound time.Duration, work handler) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tell := func(a net.Addr) { fmt.Println("listening on", a) }

	switch style {
	case "goroutines":
		return serveGoroutines(ctx, address, work, tell)
	case "baton", "protocol":
		if err := os.Setenv("BATON_POLLER", poller); err != nil {
			return err
		}
		h, err := handoffNamed(handoff)
		if err != nil {
			return err
		}
		if style == "protocol" {
			return serveProtocol(ctx, h, address, work, tell)
		}
		return serveBaton(ctx, h, address, work, tell)
	}
	return fmt.Errorf("-style %s: there are baton, protocol and goroutines", style)
}

func handoffNamed(name string) (task.Handoff, error) {
	for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
		if h.String() == name {
			return h, nil
		}
	}
	return 0, fmt.Errorf("-handoff %s: there are channel and coroutine", name)
}

// startProfile starts a CPU profile; what it returns ends it.
func startProfile(name string) (stop func(), err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "echoserver:", err)
		}
	}, nil
}
