// SPDX-License-Identifier: Apache-2.0

// The tests belong to the package, because a program cannot be imported.

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each style waits for a line of input, sends requests over persistent connections, and counts the
// requests. Package net/http opens another connection whenever no connection is idle.
func TestStyles(t *testing.T) {
	for _, style := range [][2]string{{"baton", "channel"}, {"baton", "coroutine"}, {"nethttp", ""}} {
		t.Run(strings.Join(style[:], " "), func(t *testing.T) {
			var conns, requests atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				_, _ = io.WriteString(w, "hello")
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					conns.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			var out bytes.Buffer
			l := load{url: server.URL, workers: 3, size: 5, bound: 10 * time.Millisecond, hold: strings.NewReader("go\n"), out: &out}
			if err := l.run(style[0], style[1]); err != nil {
				t.Fatal(err)
			}
			var messages int32
			if _, err := fmt.Fscanf(&out, "connected 3\nmessages %d", &messages); err != nil {
				t.Error(err)
			}
			all := requests.Load()
			few := conns.Load() == 3 || style[0] == "nethttp" && conns.Load() < all
			if all != messages+3*warmUp || messages < 3 || !few {
				t.Errorf("%d requests of which %d count, over %d connections", all, messages, conns.Load())
			}
			l.size, l.hold = 6, nil
			if err := l.run(style[0], style[1]); err == nil {
				t.Error("a body of another length was not reported")
			}
			l.size, l.hold = 5, strings.NewReader("")
			if err := l.run(style[0], style[1]); err == nil {
				t.Error("the load began without a line of input")
			}
		})
	}
	for _, wrong := range [][2]string{{"another", "channel"}, {"baton", "another"}} {
		if err := (load{}).run(wrong[0], wrong[1]); err == nil {
			t.Errorf("%v: no error", wrong)
		}
	}
}
