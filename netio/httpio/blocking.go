// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/await"
)

// Blocking returns a handler that runs h on a goroutine of its own, beside the loop: for
// code that waits for channels, locks, or connections that are not Baton's. Such a handler is
// the ReverseProxy of package httputil, with [Transport.Foreign] as its Transport. The number of
// such goroutines is bounded by loop.Config.MaxJobs. The http.ResponseWriter and the Body
// may be used there. The context of the request ends as ever, but it is no task's: calls
// of Baton that take a ctx need a task.Portal.
func Blocking(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := false
		aborted, _ := await.Blocking(r.Context(), func(ctx context.Context) (aborted bool, err error) {
			began = true
			defer func() {
				// A panic reaches the task as a *task.PanicError, but this one says something by itself.
				if v := recover(); v == http.ErrAbortHandler {
					aborted = true
				} else if v != nil {
					panic(v)
				}
			}()
			h.ServeHTTP(w, r.WithContext(ctx))
			return false, nil
		})
		if aborted || !began { // the request may end before h can begin
			panic(http.ErrAbortHandler)
		}
	})
}
