// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"testing"

	"baton/netio"
)

// An encrypted stream passes the tests of TestStream.
func TestStreamOverTLS(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(ctx context.Context, t *testing.T, near, far *netio.Stream)
	}{
		{"Read returns what has arrived", testRead},
		{"ReadFull", testReadFull},
		{"Peek consumes nothing", testPeek},
		{"CloseWrite keeps the other direction open", testHalfClose},
		{"WriteBuffers", testWriteBuffers},
		{"Close wakes every waiting call", testCloseWakes},
		{"calls of a closed stream fail", testClosed},
		{"a second call of a direction is busy", testBusy},
		{"a cancelled read loses no bytes", testCancelRead},
		{"a cancelled write returns how much it wrote", testCancelWrite},
		{"Copy leaves bytes that were not written", testCopyError},
		{"Copy to a writer that panics", testCopyPanic},
		{"Copy from a stream that is closed", testCopyClosed},
		{"timeouts", testTimeouts},
		{"reads after the end return the end", testEndStays},
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
