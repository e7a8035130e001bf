// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package netio

import "errors"

// openRaw fails: only UNIX systems can use the descriptors of others here.
func openRaw(uintptr) (rawSocket, socketKind, error) {
	return nil, socketKind{}, errors.ErrUnsupported
}
