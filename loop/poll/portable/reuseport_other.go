// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package portable

import (
	"errors"
	"fmt"
	"syscall"
)

// reusePort fails: there is no such option, or it means something else.
func reusePort(syscall.RawConn) error {
	return fmt.Errorf("portable: reuse port: %w", errors.ErrUnsupported)
}
