// SPDX-License-Identifier: Apache-2.0

// Package httpio serves and requests HTTP/1.1 on tasks, with the types of package net/http.
//
// This program serves http://localhost:8080 until Ctrl-C:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"net/http"
//
//		"baton/netio/httpio"
//		"baton/task"
//	)
//
//	func main() { task.Main(serve) }
//
//	func serve(ctx context.Context) error {
//		count := 0 // no lock: handlers of a loop run one at a time
//		srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//			count++
//			fmt.Fprintf(w, "request %d of %s\n", count, r.URL.Path)
//		})}
//		return srv.ListenAndServe(ctx, "tcp", "localhost:8080")
//	}
//
// # Servers
//
// A [Server] runs one task for each connection, and that task calls the http.Handler. A handler
// switches only in calls that wait: in calls with a ctx, in methods of the http.ResponseWriter,
// and in methods of the request's Body. The last two have no ctx and still switch. A handler that
// waits in another way stops the loop: on a channel, on a lock, on a connection of another
// library. Such code belongs in await.Blocking.
//
// There are four ways to run a handler:
//
//   - [Server], with the handler on the task of the connection. This is the default. It costs the
//     least, and runs in a simulated world.
//   - [Server] with [Blocking], for a single handler that waits for goroutines or computes.
//   - http.Server with [OnLoop], for a program on goroutines that moves to tasks one handler at a
//     time. It keeps its server, its middleware and HTTP/2. Each request costs a handoff to the
//     loop and back; each wait for the client costs another one.
//   - [Server].TLSNextProto, for HTTP/2 on a listener of this package, with the package
//     golang.org/x/net/http2.
//
// The context of a request belongs to the connection's task. A handler passes r.Context() to the
// calls that take a ctx, and never the ctx of Serve, which belongs to another task. The context of
// the request is cancelled when the client disconnects. The loop notices that without a task that
// reads. If a handler waits for events without an end, it waits under [netio.UntilShutdown] of
// that context, so that the end of the server does not wait for Grace.
//
// A handler may stream its response, for example as server-sent events. http.Flusher sends what was
// written. Write returns an error after the client has disconnected. The kernel sends the file of
// http.ServeContent or http.ServeFile.
//
// # Clients
//
// A [Session] makes a request in one line. A [Transport] is the http.RoundTripper below it, for
// an http.Client of your own.
//
// # WebSocket
//
// For WebSocket (RFC 6455), use a library. Package github.com/gorilla/websocket suits tasks best.
// It holds a lock while it writes, and a task that waits for this lock stops the loop. Its calls
// that read also write, because they answer pings, closes and invalid messages. So a server wraps
// its handler in [Outbox], where a Write does not wait; then every task may write. The program
// examples/wssrv, a module of its own, does that.
//
// Package github.com/coder/websocket also holds a lock while it reads. With it, only the task that
// reads may close the connection, and Ping belongs in await.Blocking. In [Blocking], both libraries
// work as they do with package net/http. Clients connect with [netio.Dialer.DialFunc] or with a
// [Transport].
package httpio
