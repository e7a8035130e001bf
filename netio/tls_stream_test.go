// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"testing"

	"baton/netio"
)

// The conformance suite over TLS: what every stream does, an encrypted one does.
func TestStreamOverTLS(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(ctx context.Context, t *testing.T, near, far *netio.Stream)
	}{
		{"read what is there", testRead},
		{"read full", testReadFull},
		{"peek takes nothing", testPeek},
		{"half close", testHalfClose},
		{"vectored writes", testWriteBuffers},
		{"close wakes every waiter", testCloseWakes},
		{"closed is closed", testClosed},
		{"busy names both", testBusy},
		{"a cancelled read loses nothing", testCancelRead},
		{"a cancelled write says how much", testCancelWrite},
		{"copy leaves what was not written", testCopyError},
		{"copy to a writer that panics", testCopyPanic},
		{"copy of a stream that is closed", testCopyClosed},
		{"timeouts", testTimeouts},
		{"the end stays the end", testEndStays},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				near, far := w.encrypted(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				c.test(ctx, t, near, far)
			})
		})
	}
}
