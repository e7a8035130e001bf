// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package pipe

import (
	"errors"
	"os"
)

// Open fails: here a pipe either blocks or does not, from its making on.
func Open(*os.File, bool) (fd int, shared bool, err error) { return -1, false, errors.ErrUnsupported }

// Gone fails, too.
func Gone(int) (bool, error) { return false, errors.ErrUnsupported }
