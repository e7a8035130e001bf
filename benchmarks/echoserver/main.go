// SPDX-License-Identifier: Apache-2.0

// Echoserver is the server of the echo and bulk rows. It listens on a port of the loopback
// interface, prints only its address, and ends by itself.
//
//	echoserver -port 0 -style baton -handoff coroutine
//	listening on 127.0.0.1:40713
//
// All styles set TCP_NODELAY. The styles baton and goroutines have one task or goroutine for each
// connection, and a buffer of 4 KiB unless -buffer sets another size. With -copy the style baton
// uses netio.Copy, which chooses its buffers itself. With -idle the server closes a connection
// that has received nothing for that time. With -tls it creates a certificate when it starts, and
// resumes no session. With -udp one task or goroutine sends all datagrams back. With -collect the
// server frees unused memory for each line of standard input, and prints a line. c/echo.c is the
// peer in C.
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

// A handler has the flags for the work of a connection.
type handler struct {
	buffer int           // maximum bytes of a read
	copy   bool          // use netio.Copy
	idle   time.Duration // how long a connection may receive nothing; 0 is no limit
	tls    *tls.Config   // nil without TLS
	udp    bool          // use datagrams
}

// listening is called with the address as soon as clients can connect.
type listening func(net.Addr)

func main() {
	var (
		port     = flag.Int("port", 7000, "`port` on 127.0.0.1; 0 is any free port")
		style    = flag.String("style", "baton", "baton, protocol or goroutines")
		handoff  = flag.String("handoff", "channel", "hand-over of style baton: channel or coroutine")
		poller   = flag.String("poller", "", "poller of style baton: epoll or portable (default: the best available)")
		buffer   = flag.Int("buffer", 4<<10, "maximum `bytes` of a read")
		copies   = flag.Bool("copy", false, "use netio.Copy (style baton)")
		idle     = flag.Duration("idle", 0, "close a connection that receives nothing for this time; 0 is no limit")
		udp      = flag.Bool("udp", false, "send datagrams back")
		crypt    = flag.Bool("tls", false, "use TLS")
		collects = flag.Bool("collect", false, "free memory for each line of standard input and print \"collected\"")
		bound    = flag.Duration("for", 10*time.Minute, "how long to serve")
		profile  = flag.String("cpuprofile", "", "write a CPU profile to this `file`")
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
	if *collects {
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
	return fmt.Errorf("-style %s: it must be baton, protocol or goroutines", style)
}

func handoffNamed(name string) (task.Handoff, error) {
	for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
		if h.String() == name {
			return h, nil
		}
	}
	return 0, fmt.Errorf("-handoff %s: it must be channel or coroutine", name)
}

// startProfile starts a CPU profile. stop ends it.
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
