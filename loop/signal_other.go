// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package loop

import "os"

var uncatchable = []os.Signal{os.Kill}

// validSignal returns nil: on this system, package os/signal decides.
func validSignal(os.Signal) error { return nil }
