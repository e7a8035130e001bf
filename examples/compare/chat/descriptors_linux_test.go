// SPDX-License-Identifier: Apache-2.0

package chat_test

import (
	"os"
	"testing"

	"baton/examples/compare/chat"
)

// descriptors returns how many descriptors the process has.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// All descriptors of connections are closed, for every way in which a connection ends.
func TestDescriptors(t *testing.T) {
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		before := descriptors(t)
		for range 20 {
			quits, goes, breaks := r.join(t, "quits"), r.dial(t), r.dial(t)
			quits.sends("/quit")
			quits.leaves(chat.Quit)
			goes.wants(chat.Ask)
			goes.conn.CloseWrite()
			goes.leaves(chat.Gone)
			breaks.conn.SetLinger(0)
			breaks.conn.Close()
		}
		// The last connections may end a moment later.
		if after := descriptors(t); after > before+10 {
			t.Errorf("%d descriptors are open, and %d were before", after, before)
		}
	})
}
