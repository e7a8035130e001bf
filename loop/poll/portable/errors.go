// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"errors"
	"fmt"
	"net"
	"os"

	"baton/loop/poll"
)

// cause takes package net's dress off an error: what is under it is what the
// seam speaks of, mostly a *os.SyscallError. The only deadlines here are those
// of lane.stop. That a socket was closed under its caller has several shapes in
// package net, and one here. io.EOF has no dress and stays what it is.
func cause(err error) error {
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

// lookupError makes a *net.DNSError of the resolver's other errors, which are
// about the question (an unknown network) and not about the answer.
func lookupError(host string, err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	return &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: host}
}

// misfit is the error of an operation that the handle cannot have. A kernel
// would have an error of its own for each; package net has no call to find out.
func misfit(kind poll.Kind, what string) error {
	return fmt.Errorf("portable: %v of %s: %w", kind, what, errors.ErrUnsupported)
}

// unsupported is the error of an address that is neither TCP nor UNIX-domain.
func unsupported(addr net.Addr) error {
	return fmt.Errorf("portable: address of type %T: %w", addr, errors.ErrUnsupported)
}

// setError is an error of SetNoDelay, in package net's words.
func setError(addr net.Addr, err error) error {
	return &net.OpError{Op: "set", Net: addr.Network(), Addr: addr, Err: err}
}
