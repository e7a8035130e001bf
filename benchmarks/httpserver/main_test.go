// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Both styles end by themselves.
func TestServeEnds(t *testing.T) {
	for _, style := range []string{"baton", "nethttp"} {
		if err := serve(0, style, "channel", 5, 10*time.Millisecond); err != nil {
			t.Errorf("%s: %v", style, err)
		}
	}
	for _, wrong := range [][2]string{{"another", "channel"}, {"baton", "another"}} {
		if err := serve(0, wrong[0], wrong[1], 5, time.Second); err == nil {
			t.Errorf("%v: no error", wrong)
		}
	}
}
