// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// serve serves a page and handlers with httpio.Server, on a loop that ends with the test. It
// returns the URL of the page.
func serve(t *testing.T, page string, handlers map[string]http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range handlers {
		mux.HandleFunc(pattern, h)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>a test</title>"+page)
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	urls, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- task.Run(ctx, func(ctx context.Context) error {
			defer close(urls)
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			urls <- "http://" + ln.Addr().String() + "/"
			return (&httpio.Server{Handler: mux}).Serve(ctx, ln)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	url, ok := <-urls
	if !ok {
		t.Fatal("the server does not listen")
	}
	return url
}
