// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"net/http"

	"baton/loop"
	"baton/task"
)

// OnLoop returns a handler for the server of package net/http that runs h on the loop of portal.
// Each request is a task of the portal's scope. OnLoop is the counterpart of [Blocking]: it is for
// HTTP/2, and for services that move to tasks one handler at a time.
//
// The goroutine that package net/http has started for the request waits for h. It also makes the
// calls that may wait for the client, and the calling task parks meanwhile. So a slow client
// delays only its own request. All methods of the http.ResponseWriter and of the request's Body
// are such calls, with three exceptions. Header does not wait, nor does a Write that is buffered,
// nor does WriteHeader with a final status, unless the request has the field Expect. OnLoop
// buffers up to 8 KiB of a response, in addition to the buffers of package net/http. Flush and the
// return of h send the buffer.
//
// The context of the request belongs to the task. It has the values and the deadline of the
// context from package net/http. It is cancelled when that context ends, because the client has
// disconnected or an http.TimeoutHandler around OnLoop has timed out. This cancel does not interrupt a
// Read or Write; package net/http ends those. When h returns, the tasks that h has started are
// cancelled, and the portal's scope waits for them. Their errors go to the loop's exception
// handler.
//
// A cancel of the whole task, such as the end of the portal's scope, interrupts a Read, Write or
// Flush. The buffer is still sent. If data of a Write was lost, the connection, or the HTTP/2
// stream, is aborted when h returns. The interrupt uses the deadlines of http.ResponseController:
// middleware around OnLoop that wraps the ResponseWriter should give it an Unwrap method. If the
// portal is closed before h begins, the status is 503.
//
// A panic of h becomes a panic of the goroutine of package net/http, with a *task.PanicError that
// holds the stack of the task. A panic with http.ErrAbortHandler is passed on unchanged. A
// runtime.Goexit aborts the request and ends the portal's scope, as it does in every task.
//
// Until h returns, tasks and goroutines of h may use the ResponseWriter, while others read the
// Body; later calls fail. Tasks that write at the same time wait for each other. A goroutine must
// not write while a task or another goroutine writes. A hijacked connection may be used by
// tasks of the loop, which park in its calls, and by goroutines, also after h has returned. An
// http.MaxBytesReader that reaches its limit does not close the connection, unless an
// http.MaxBytesHandler is around OnLoop.
//
// The returned handler must be called by a goroutine. It panics if a task calls it, because it
// would stop the loop.
func OnLoop(portal *task.Portal, h http.Handler) http.Handler {
	if portal == nil || h == nil {
		misuse("OnLoop needs a portal and a handler; one of them is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l := loop.Current(); l != nil {
			misuse("a task or callback of %v called the handler that OnLoop returned; call the inner handler instead", l)
		}
		lr := &loopRequest{w: w, r: r, writerState: writerState{length: -1}}
		lr.calls = make(chan *offloadedCall)
		lr.serve(portal, h)
	})
}
