// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package netio

import (
	"errors"
	"os"
)

// filesPass reports that this system does not pass files over UNIX sockets.
const filesPass = false

// sendFiles is not called.
func sendFiles(int, []byte, []*os.File) (int, error) { return 0, errors.ErrUnsupported }

// receiveFiles is not called.
func receiveFiles(int, []byte, int, string) (int, []*os.File, bool, error) {
	return 0, nil, false, errors.ErrUnsupported
}
