// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
)

func TestBytesComeInOrderAndTheEndClosesTheTransport(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of func(*protocoltest.Checker) protocol.Base) {
		c := &protocoltest.Checker{T: t}
		s, _ := pair(ctx, t, protocol.Config{}, of(c))
		write(ctx, t, s, []byte("hello, "))
		must(t, c.UntilData(ctx, 7))
		write(ctx, t, s, []byte("world"))
		must(t, s.CloseWrite())
		must(t, c.UntilLost(ctx))
		if string(c.Data) != "hello, world" || c.Err != nil {
			t.Errorf("%q, %v", c.Data, c.Err)
		}
		if want := []string{"ConnectionMade", "EOFReceived", "ConnectionLost"}; !slices.Equal(c.Calls, want) {
			t.Errorf("calls %v, want %v", c.Calls, want)
		}
		if _, err := s.Read(ctx, make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer read %v", err)
		}
		must(t, s.Close())
	})
}
