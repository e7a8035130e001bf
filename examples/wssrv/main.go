// SPDX-License-Identifier: Apache-2.0

// Wssrv is a chat server for browsers. It serves a page, and broadcasts over WebSockets
// what anyone writes there. It shows httpio.Server with a library for WebSocket that knows
// nothing of tasks.
//
//	go -C examples/wssrv run .      # Ctrl-C ends it; open http://127.0.0.1:8080/
//	go -C examples/wsclient run .   # in another terminal
//
// A task for each client reads what the client sends. Another one, of httpio.Outbox, sends
// what was written for the client: the room never waits for a client who reads slowly, and
// in the end cuts such a client off. After Ctrl-C the server says goodbye to all.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

var (
	host = flag.String("host", "127.0.0.1", "host name")
	port = flag.Int("port", 8080, "port number")
)

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return serve(ctx, os.Stdout) })
}

// maxWaiting is how many bytes may wait for a client who reads slowly.
const maxWaiting = 256 << 10

func serve(ctx context.Context, log io.Writer) error {
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	fmt.Fprintln(log, "serving on", ln.Addr())
	r := &room{log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.Handle("GET /chat", httpio.Outbox(maxWaiting, http.HandlerFunc(r.chat)))
	server := &httpio.Server{Handler: mux, ReadHeaderTimeout: time.Minute, IdleTimeout: 75 * time.Second}
	return task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, r.goodbye)
		return server.Serve(ctx, ln)
	})
}

//go:embed websocket.html
var page []byte

// servePage serves the page, which needs nothing from elsewhere.
func servePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "+
		"img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(page) // an error is that of a client who has gone
}
