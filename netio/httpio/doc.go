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
// The context of a request is one of Baton's: it can be given to every call that takes a
// ctx. It is cancelled when the client goes away, which the loop notices without a task
// that reads.
package httpio
