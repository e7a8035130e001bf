// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"errors"
	"fmt"
	"net"
	"os"

	"baton/loop/poll"
)

// unwrap returns the bare error in an error of package net, mostly an *os.SyscallError. The
// only deadlines in this package come from Cancel, so a deadline error becomes
// poll.ErrCanceled. Package net has several errors for a socket that was closed during a call;
// unwrap returns net.ErrClosed for all of them. io.EOF is bare already.
func unwrap(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return poll.ErrCanceled
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	}
	return err
}

// lookupError returns err as a *net.DNSError. The resolver returns other errors for wrong
// arguments, such as an unknown network.
func lookupError(host string, err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	return &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: host}
}

// wrongKind returns the error of an operation that the handle does not support. A kernel has a
// specific error for each case; package net has no call to find it out.
func wrongKind(kind poll.Kind, handle string) error {
	return fmt.Errorf("portable: %v is not possible on %s: %w", kind, handle, errors.ErrUnsupported)
}

// unsupportedAddr returns the error of an address of another type.
func unsupportedAddr(addr net.Addr) error {
	return fmt.Errorf("portable: address of type %T is not supported; use a TCP, UDP, unix or unixgram address: %w", addr, errors.ErrUnsupported)
}

// setError returns an error of SetNoDelay, as package net would.
func setError(addr net.Addr, err error) error {
	return &net.OpError{Op: "set", Net: addr.Network(), Addr: addr, Err: err}
}
