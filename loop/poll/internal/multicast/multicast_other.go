// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package multicast

import (
	"errors"
	"fmt"
	"net/netip"
)

// errOther is the error of all functions on systems other than Linux.
var errOther = fmt.Errorf("multicast is not available on this system: %w", errors.ErrUnsupported)

// Join returns an error.
func Join(fd int, group netip.Addr, iface int) error { return errOther }

// Leave returns an error.
func Leave(fd int, group netip.Addr, iface int) error { return errOther }

// SetInterface returns an error.
func SetInterface(fd int, v4 bool, iface int) error { return errOther }

// SetLoop returns an error.
func SetLoop(fd int, v4, on bool) error { return errOther }

// SetTTL returns an error.
func SetTTL(fd int, v4 bool, n int) error { return errOther }
