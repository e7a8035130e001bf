// SPDX-License-Identifier: Apache-2.0

//go:build unix

package loop

import (
	"fmt"
	"os"
	"syscall"
)

var uncatchable = []os.Signal{syscall.SIGKILL, syscall.SIGSTOP}

// validSignal refuses what is no signal, of which os/signal would never tell.
// 64 is the highest number on Linux (signal(7)).
func validSignal(sig os.Signal) error {
	if n, ok := sig.(syscall.Signal); !ok || n <= 0 || n > 64 {
		return fmt.Errorf("there is no such signal: %w", os.ErrInvalid)
	}
	return nil
}
