// SPDX-License-Identifier: Apache-2.0

//go:build unix

package loop

import (
	"fmt"
	"os"
	"syscall"
)

var uncatchable = []os.Signal{syscall.SIGKILL, syscall.SIGSTOP}

// validSignal returns an error if there is no such signal. Package os/signal would ignore
// it silently. The highest number on Linux is 64 (signal(7)).
func validSignal(sig os.Signal) error {
	if n, ok := sig.(syscall.Signal); !ok || n <= 0 || n > 64 {
		return fmt.Errorf("there is no such signal: %w", os.ErrInvalid)
	}
	return nil
}
