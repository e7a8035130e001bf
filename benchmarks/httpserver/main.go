// SPDX-License-Identifier: Apache-2.0

// Httpserver is the server of the http rows. It answers each request with a body of a given size.
// It listens on a port of the loopback interface, prints only its address, and ends by itself.
//
//	httpserver -port 0 -style baton -handoff coroutine -size 64
//	listening on 127.0.0.1:40713
//
// With -json the body is a list of values, which the handler encodes in JSON for each request. Both
// styles run the same http.Handler. With -collect the server frees unused memory for each line of
// standard input, and prints a line.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"baton/benchmarks/internal/collect"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

func main() {
	var (
		port     = flag.Int("port", 7000, "`port` on 127.0.0.1; 0 is any free port")
		style    = flag.String("style", "baton", "baton or nethttp")
		handoff  = flag.String("handoff", "channel", "hand-over of style baton: channel or coroutine")
		size     = flag.Int("size", 12, "`bytes` in a body")
		asJSON   = flag.Bool("json", false, "encode the body as JSON")
		collects = flag.Bool("collect", false, "free memory for each line of standard input and print \"collected\"")
		bound    = flag.Duration("for", 10*time.Minute, "how long to serve")
	)
	flag.Parse()
	if *collects {
		go collect.ForEachLine(os.Stdin, os.Stdout)
	}
	if err := serve(*port, *style, *handoff, answer(*size, *asJSON), *bound); err != nil {
		fmt.Fprintln(os.Stderr, "httpserver:", err)
		os.Exit(1)
	}
}

// answer returns a handler that answers with a body of size bytes.
func answer(size int, asJSON bool) http.Handler {
	body := bytes.Repeat([]byte("x"), size)
	if asJSON {
		return answerJSON(size)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(body) // an error means that the client has gone
	})
}

func serve(port int, style, handoff string, handler http.Handler, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	switch style {
	case "nethttp":
		return serveNetHTTP(ctx, address, handler)
	case "baton":
		for _, h := range []task.Handoff{task.Channel, task.Coroutine} {
			if h.String() == handoff {
				return serveBaton(ctx, h, address, handler)
			}
		}
		return fmt.Errorf("-handoff %s: it must be channel or coroutine", handoff)
	}
	return fmt.Errorf("-style %s: it must be baton or nethttp", style)
}

func serveBaton(ctx context.Context, h task.Handoff, address string, handler http.Handler) error {
	err := task.Runner{Handoff: h}.Run(ctx, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		fmt.Println("listening on", ln.Addr())
		return (&httpio.Server{Handler: handler, Grace: -1}).Serve(ctx, ln)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func serveNetHTTP(ctx context.Context, address string, handler http.Handler) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	srv := &http.Server{Handler: handler}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}
