// SPDX-License-Identifier: Apache-2.0

package porttest_test

import (
	"net"
	"testing"

	"baton/internal/porttest"
)

// A server can use the port, end, and start again.
func TestServersUseAReservedPort(t *testing.T) {
	address, port := porttest.Reserve(t)
	for range 2 {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, _ := net.SplitHostPort(ln.Addr().String()); got != port {
			t.Errorf("port %s, want %s", got, port)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	}
}
