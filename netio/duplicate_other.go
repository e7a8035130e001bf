// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package netio

import (
	"errors"
	"os"
)

// duplicate fails: other processes could not use the duplicate.
func duplicate(uintptr, string) (*os.File, error) { return nil, errors.ErrUnsupported }
