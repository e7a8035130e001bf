// SPDX-License-Identifier: Apache-2.0

// Package httpio is HTTP/1.1 on tasks, with the types of package net/http.
//
// A [Server] calls an http.Handler on the task of the connection: handlers of one loop
// run one at a time, between the calls that switch. These are the calls with a ctx, and
// also the methods of the http.ResponseWriter and of the request's Body, which wait for the
// network without one. A handler that waits in another way, on a channel, a lock or a
// connection of another library, stops the loop: it belongs into await.Blocking.
//
// An answer may be streamed, as server-sent events are: a Write returns an error when the
// client has gone, and http.Flusher sends what was written. A file that http.ServeContent or
// http.ServeFile answers with is sent by the kernel.
//
// The context of a request is one of Baton's: it can be given to every call that takes a
// ctx. It is cancelled when the client goes away, which the loop notices without a task
// that reads.
package httpio
