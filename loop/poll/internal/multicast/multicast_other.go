// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package multicast

import (
	"errors"
	"fmt"
	"net/netip"
)

// errOther is the error of all functions on a system for which nothing is written.
var errOther = fmt.Errorf("multicast on this system: %w", errors.ErrUnsupported)

// Join fails.
func Join(fd int, group netip.Addr, iface int) error { return errOther }

// Leave fails.
func Leave(fd int, group netip.Addr, iface int) error { return errOther }

// SetInterface fails.
func SetInterface(fd int, v4 bool, iface int) error { return errOther }

// SetLoop fails.
func SetLoop(fd int, v4, on bool) error { return errOther }

// SetTTL fails.
func SetTTL(fd int, v4 bool, n int) error { return errOther }
