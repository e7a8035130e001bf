// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/await"
	"baton/task"
)

// Blocking returns a handler that runs h on a goroutine of the loop's executor. It is for code
// that waits for channels, for locks, or for connections that do not belong to Baton. In net/http,
// http.TimeoutHandler and httputil.ReverseProxy wait in that way. Such a ReverseProxy needs the
// http.RoundTripper of [Transport.Foreign].
//
// The goroutine may use the http.ResponseWriter and the Body. The context of the request is
// cancelled as usual, but belongs to no task. To make calls of Baton that take a ctx, the
// goroutine needs a task.Portal.
//
// Config.MaxJobs of package loop limits the number of such goroutines. If the request is cancelled
// before a goroutine is free, the request waits for up to task.ShieldTime more. So a client that
// has only closed its sending direction still gets its response.
func Blocking(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, end := context.WithCancel(r.Context())
		defer end()
		shielded, release := task.Shield(r.Context(), 0)
		defer release()
		began := false
		aborted, _ := await.Blocking(shielded, func(context.Context) (aborted bool, err error) {
			began = true
			defer func() {
				// Other panics reach the task as a *task.PanicError.
				if v := recover(); v == http.ErrAbortHandler {
					aborted = true
				} else if v != nil {
					panic(v)
				}
			}()
			inner := r.WithContext(ctx)
			defer func() { r.MultipartForm = inner.MultipartForm }() // so that the server removes its files
			h.ServeHTTP(w, inner)
			return false, nil
		})
		if aborted || !began {
			panic(http.ErrAbortHandler)
		}
	})
}
