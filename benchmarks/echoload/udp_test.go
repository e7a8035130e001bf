// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestUDP: a message may be a datagram.
func TestUDP(t *testing.T) {
	for name, c := range map[string]struct {
		cut int // bytes that the server omits
		ok  bool
	}{"echo": {0, true}, "cut off": {1, false}} {
		t.Run(name, func(t *testing.T) {
			server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			all.Go(func() {
				buf := make([]byte, 2*messageSize)
				for {
					n, from, err := server.ReadFromUDPAddrPort(buf)
					if err != nil {
						return
					}
					server.WriteToUDPAddrPort(buf[c.cut:n], from)
					if c.cut > 0 { // otherwise the client waits for the rest
						server.WriteToUDPAddrPort(buf[:c.cut], from)
					}
				}
			})
			defer all.Wait()
			defer server.Close()
			var out bytes.Buffer
			err = load(dialUDP, server.LocalAddr().String(), 3, messageSize, false, 10*time.Millisecond, strings.NewReader("go\n"), &out)
			if (err == nil) != c.ok {
				t.Fatalf("load = %v", err)
			}
			var messages int
			if _, err := fmt.Fscanf(&out, "connected 3\nmessages %d", &messages); c.ok && (err != nil || messages < 3) {
				t.Errorf("%d messages, %v", messages, err)
			}
		})
	}
}
