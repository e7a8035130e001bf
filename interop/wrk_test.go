// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Wrk loads our server over fifty connections for a second: without TLS, with TLS, and with
// sixteen pipelined requests. All answers must be correct. The test prints their number and does
// not check it.
func TestWrk(t *testing.T) {
	id := newIdentity(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil { // at its end, wrk disconnects in the middle of requests; before, it reports the abort
			panic(http.ErrAbortHandler)
		}
		if want := r.URL.Query().Get("n"); want != "" && want != strconv.FormatInt(n, 10) {
			t.Errorf("a body of %d bytes, want %s", n, want)
		}
		w.Write([]byte("hello, world\n"))
	})
	for _, c := range []struct {
		name, scheme string
		args         []string
	}{
		{"plain", "http", nil},
		{"TLS", "https", nil},
		{"pipelined", "http", []string{"--script", "testdata/pipeline.lua"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := id.server()
			if c.scheme == "http" {
				config = nil
			}
			withHTTP(t, config, h, func(ctx context.Context, port string) error {
				report, err := wrk.run(ctx, "", append(c.args, "--threads", "1", "--connections", "50", "--duration", "1s",
					"--timeout", "1m", // wrk reports an answer that takes longer as an error
					c.scheme+"://127.0.0.1:"+port+"/")...)
				if err != nil {
					return err
				}
				rate := ""
				for line := range strings.Lines(report) {
					line = strings.TrimSpace(line)
					if strings.HasPrefix(line, "Socket errors") || strings.HasPrefix(line, "Non-2xx") {
						t.Error(line)
					}
					if strings.HasPrefix(line, "Requests/sec") {
						rate = line
					}
				}
				if rate == "" {
					t.Errorf("wrk reports %q", report)
				}
				t.Log(rate)
				return nil
			})
		})
	}
}
