// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package netio

import "errors"

// openRaw fails: descriptors that others own are for systems of the UNIX sort.
func openRaw(uintptr) (rawSocket, socketKind, error) {
	return nil, socketKind{}, errors.ErrUnsupported
}
