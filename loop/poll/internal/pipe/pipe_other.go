// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package pipe

import (
	"errors"
	"os"
)

// Open returns an error. On this system a pipe is blocking or non-blocking from the beginning.
func Open(*os.File, bool) (fd int, shared bool, err error) { return -1, false, errors.ErrUnsupported }

// Gone returns an error.
func Gone(int) (bool, error) { return false, errors.ErrUnsupported }
