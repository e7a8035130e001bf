// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// After a refused request, the server of package net/http keeps the connection for half a second.
	// No test can wait for that.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
