// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/await"
	"baton/task"
)

// Blocking returns a handler that runs h on a goroutine of its own, beside the loop: for
// code that waits for channels, locks, or connections that are not Baton's. Of net/http,
// http.TimeoutHandler and httputil.ReverseProxy wait so. A ReverseProxy there needs a
// [Transport.Foreign]. The http.ResponseWriter and the Body may be used on the goroutine. The
// context of the request ends as ever, but it is no task's: calls of Baton that take a ctx
// need a task.Portal.
//
// The number of such goroutines is bounded by loop.Config.MaxJobs. If the request ends before
// there is one, h is waited for another task.ShieldTime: a client that has only ended its
// direction gets its answer.
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
				// A panic reaches the task as a *task.PanicError, but this one says something by itself.
				if v := recover(); v == http.ErrAbortHandler {
					aborted = true
				} else if v != nil {
					panic(v)
				}
			}()
			inner := r.WithContext(ctx)
			defer func() { r.MultipartForm = inner.MultipartForm }() // the server removes its files
			h.ServeHTTP(w, inner)
			return false, nil
		})
		if aborted || !began {
			panic(http.ErrAbortHandler)
		}
	})
}
