// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"os"
	"syscall"
	"testing"

	"baton/examples/compare/proxy"
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
	both(t, 1, proxy.Config{}, nil, func(t *testing.T, s *site) {
		before := descriptors(t)
		for range 20 {
			client, server := s.pair(t, s.backends[0])
			client.CloseWrite()
			server.ends(nil)
			server.Close()
			client.ends(nil)
			client.Close()

			client, server = s.pair(t, s.backends[0])
			server.SetLinger(0)
			server.Close()
			client.ends(syscall.ECONNRESET)
			client.Close()
		}
		s.until(t, "all have ended", func(s proxy.Stats) bool { return s.Backends[0].Active == 0 })
		// The last client and a health check may end a moment later.
		if after := descriptors(t); after > before+10 {
			t.Errorf("%d descriptors are open, and %d were before", after, before)
		}
	})
}
