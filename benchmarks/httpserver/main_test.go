// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Both styles end by themselves.
func TestServeEnds(t *testing.T) {
	for _, style := range []string{"baton", "nethttp"} {
		if err := serve(0, style, "channel", answer(5, false), 10*time.Millisecond); err != nil {
			t.Errorf("%s: %v", style, err)
		}
	}
	for _, wrong := range [][2]string{{"another", "channel"}, {"baton", "another"}} {
		if err := serve(0, wrong[0], wrong[1], nil, time.Second); err == nil {
			t.Errorf("%v: no error", wrong)
		}
	}
}

// A body has the requested length. With -json it is JSON.
func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		size int
		json bool
	}{{12, false}, {1 << 10, true}, {64 << 10, true}} {
		w := httptest.NewRecorder()
		answer(c.size, c.json).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Body.Len() != c.size || c.json != json.Valid(w.Body.Bytes()) {
			t.Errorf("%v: %d bytes: %s", c, w.Body.Len(), w.Body)
		}
	}
}
