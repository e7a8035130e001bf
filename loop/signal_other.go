// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package loop

import "os"

var uncatchable = []os.Signal{os.Kill}

// validSignal lets os/signal decide.
func validSignal(os.Signal) error { return nil }
