// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The peer of package net/http keeps a connection for half a second after it refused a
	// request, and nobody can wait for that.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
