// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// With -http the client checks the answers: the status and each byte of the body.
func TestHTTP(t *testing.T) {
	for _, c := range []struct {
		name string
		body func(n int) string
		good bool
	}{
		{"equal", func(int) string { return "hello" }, true},
		{"another length", func(int) string { return "hello, world" }, false},
		{"a body that changes", func(n int) string { return "hell" + string(rune('a'+n%26)) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n++
				_, _ = io.WriteString(w, c.body(n))
			}))
			defer server.Close()
			var out bytes.Buffer
			err := load(dialPlain, server.Listener.Addr().String(), 1, 5, true, 10*time.Millisecond, strings.NewReader("go\n"), &out)
			if (err == nil) != c.good {
				t.Errorf("%v", err)
			}
		})
	}
}
