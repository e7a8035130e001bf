// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package portable

import (
	"errors"
	"fmt"
	"syscall"
)

// reusePort returns an error: there is no such option here, or it means something else.
func reusePort(syscall.RawConn) error {
	return fmt.Errorf("portable: ReusePort is not available on this system: %w", errors.ErrUnsupported)
}
