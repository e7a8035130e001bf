// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"testing"

	"baton/netio"
)

// A poller that cannot watch descriptors makes AdoptSocket return errors.ErrUnsupported.
func TestAdoptSocketUnsupported(t *testing.T) {
	for _, w := range []world{{"virtual", ""}, {"portable", ""}} {
		w.run(t, func(ctx context.Context, t *testing.T) {
			_, err := netio.AdoptSocket(ctx, 0)
			want(t, w.poller, err, errors.ErrUnsupported)
		})
	}
}

// Calls of a zero Socket panic and say how to make one.
func TestSocketMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		var s netio.Socket
		panics(t, "Receive", func() { s.Receive(ctx, nil) }, "uses a zero Socket", "AdoptSocket makes a Socket")
		panics(t, "SendAll", func() { s.SendAll(ctx, nil) }, "uses a zero Socket")
		panics(t, "Close", func() { s.Close() }, "Socket.Close of a zero value")
		return nil
	})
}
