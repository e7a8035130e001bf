// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package terminal

import (
	"errors"
	"fmt"
	"os"
)

// duplicate fails: on this system package syscall cannot duplicate all kinds of files.
func duplicate(f *os.File) (*os.File, error) {
	return nil, fmt.Errorf("terminal: input from %s: %w", f.Name(), errors.ErrUnsupported)
}
