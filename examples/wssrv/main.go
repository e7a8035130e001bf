// SPDX-License-Identifier: Apache-2.0

// Wssrv is a chat server for browsers. It serves a page, and sends what a client writes there
// to all clients, over WebSockets. The example shows httpio.Server with a WebSocket library
// that knows nothing of tasks.
//
//	go -C examples/wssrv run .      # Ctrl-C ends it; open http://127.0.0.1:8080/
//	go -C examples/wsclient run .   # in another terminal
//
// A task for each client reads what the client sends. A second task, of httpio.Outbox, sends
// what waits for the client. So the room never waits for a client that reads slowly. If too
// much waits for a client, its connection is closed. After Ctrl-C the server closes all
// connections with a WebSocket close.
//
// With --workers the server is several processes, which share the listening socket:
//
//	go -C examples/wssrv run . --workers 4
//
// A worker that has died or is silent is replaced, as in mpsrv. Each worker has its own room,
// with its own numbers for clients: a client chats only with the clients of the same worker,
// and the kernel chooses the worker when the client connects. A chat of all clients over
// several processes needs a broker between the workers, which this example does not have.
package main

import (
	"context"
	_ "embed"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"baton/examples/internal/prefork"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

var (
	host       = flag.String("host", "127.0.0.1", "host name")
	port       = flag.Int("port", 8080, "port number")
	supervisor = prefork.Flags(0)
)

func main() {
	flag.Parse()
	task.Main(run)
}

// run is the whole server without --workers, and otherwise the supervisor or a worker.
func run(ctx context.Context) error {
	out := log.New(os.Stdout, "", 0)
	if prefork.IsWorker() {
		out.SetPrefix(strconv.Itoa(os.Getpid()) + ": ")
		return prefork.Work(ctx, newServer(out).Serve)
	}
	ln, err := listen(ctx, out)
	if err != nil {
		return err
	}
	if supervisor.Workers == 0 {
		return newServer(out).Serve(ctx, ln)
	}
	defer ln.Close()
	return supervisor.Run(ctx, ln)
}

func listen(ctx context.Context, out *log.Logger) (*netio.Listener, error) {
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return nil, err
	}
	out.Println("serving on", ln.Addr())
	return ln, nil
}

// maxWaiting is how many bytes may wait for a client that reads slowly.
const maxWaiting = 256 << 10

// newServer returns a server with an empty room. The room closes all connections when the
// server begins to shut down.
func newServer(out *log.Logger) *httpio.Server {
	r := &room{log: out}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.Handle("GET /chat", httpio.Outbox(maxWaiting, http.HandlerFunc(r.chat)))
	server := &httpio.Server{Handler: mux, ReadHeaderTimeout: time.Minute, IdleTimeout: 75 * time.Second}
	server.RegisterOnShutdown(func(context.Context) { r.close() })
	return server
}

//go:embed websocket.html
var page []byte

// servePage serves the page. The page loads nothing else.
func servePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "+
		"img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(page) // an error means that the client has disconnected
}
