// SPDX-License-Identifier: Apache-2.0

// Package httpio is HTTP/1.1 on tasks, with the types of package net/http.
//
// A [Server] calls an http.Handler on the task of the connection: handlers of one loop
// run one at a time, between the calls that switch. These are the calls with a ctx, and
// also the methods of the http.ResponseWriter and of the request's Body, which wait for the
// network without one. A handler that waits in another way, on a channel, a lock or a
// connection of another library, stops the loop: it belongs into await.Blocking.
//
// Which side serves, and which runs the handler:
//
//   - [Server] and a handler on its task: the default. It costs the least, and runs in a
//     simulated world.
//   - [Server] and [Blocking]: a handler that waits for goroutines, or computes, among others
//     that are tasks.
//   - http.Server and [OnLoop]: a program on goroutines moves to tasks handler by handler, and
//     keeps its server, its middleware and HTTP/2. Each request costs a hand-over to the loop
//     and back, and each wait for the client another one.
//   - [Server].TLSNextProto: HTTP/2 at a listener of this package, by golang.org/x/net/http2.
//
// An answer may be streamed, as server-sent events are: a Write returns an error when the
// client has gone, and http.Flusher sends what was written. A file that http.ServeContent or
// http.ServeFile answers with is sent by the kernel.
//
// The context of a request is one of Baton's: it can be given to every call that takes a
// ctx. It is cancelled when the client goes away, which the loop notices without a task
// that reads.
//
// WebSocket (RFC 6455) is for a library; github.com/gorilla/websocket suits tasks best. Its
// calls hold a lock while they write, and a task that waits for this lock stops the loop. So
// one task of a connection may write, and one may read. But a call that reads also writes:
// it answers pings, closes and faulty messages. A server therefore wraps its handler in
// [Outbox]; then every task may write. The program examples/wssrv does that.
//
// The library github.com/coder/websocket holds a lock while it reads, too. With it only the
// task that reads may close the connection, and Ping belongs into await.Blocking. In
// [Blocking] both libraries may be used as with package net/http. Clients connect by
// [netio.Dialer.DialFunc] or a [Transport].
package httpio
