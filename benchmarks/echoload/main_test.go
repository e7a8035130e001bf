// SPDX-License-Identifier: Apache-2.0

// The tests belong to the package, because a program cannot be imported.

package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// messageSize is the size of a message of the echo rows.
const messageSize = 1 << 10

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen calls serve for each connection. It returns the address.
func listen(t *testing.T, serve func(io.ReadWriter)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return ln.Addr().String()
}

// TestLoad: load connects, waits for its input, sends, and reports the number of echoes.
func TestLoad(t *testing.T) {
	addr := listen(t, func(c io.ReadWriter) { io.Copy(c, c) })
	var out bytes.Buffer
	if err := load(dialPlain, addr, 3, messageSize, false, 10*time.Millisecond, strings.NewReader("go\n"), &out); err != nil {
		t.Fatal(err)
	}
	var connected, messages int
	if _, err := fmt.Sscanf(out.String(), "connected %d\nmessages %d", &connected, &messages); err != nil {
		t.Fatalf("%v in %q", err, &out)
	}
	if connected != 3 || messages < 3 {
		t.Errorf("%d connections and %d messages, want 3 and no fewer", connected, messages)
	}
}

// TestTLS: each connection makes a full handshake before it counts as connected.
func TestTLS(t *testing.T) {
	// The only certificate in the standard library for tests.
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	config := srv.TLS.Clone()
	srv.Close()
	var resumed, full atomic.Int32
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if s.DidResume {
			resumed.Add(1)
		} else {
			full.Add(1)
		}
		return nil
	}
	addr := listen(t, func(c io.ReadWriter) {
		crypt := tls.Server(c.(net.Conn), config)
		io.Copy(crypt, crypt)
	})
	if err := load(dialTLS, addr, 3, messageSize, false, time.Hour, strings.NewReader(""), io.Discard); err == nil {
		t.Error("load that was not let go = nil, want an error")
	}
	if resumed.Load() != 0 || full.Load() != 3 {
		t.Errorf("%d handshakes, and %d with a resumed session, want 3 and none", full.Load(), resumed.Load())
	}
	if err := load(dialPlain, addr, 1, messageSize, false, time.Hour, nil, io.Discard); err == nil {
		t.Error("load without TLS = nil, want an error")
	}
}

// TestHeld: load does not begin without a line of input.
func TestHeld(t *testing.T) {
	addr := listen(t, func(c io.ReadWriter) { io.Copy(c, c) })
	var out bytes.Buffer
	if err := load(dialPlain, addr, 1, messageSize, false, time.Hour, strings.NewReader(""), &out); err == nil {
		t.Error("load = nil, want an error")
	}
	if got := out.String(); got != "connected 1\n" {
		t.Errorf("load printed %q", got)
	}
}

// TestFaults: load finds a wrong byte at any position, and an echo that is too short.
func TestFaults(t *testing.T) {
	flip := func(at int) func(io.ReadWriter) {
		return func(c io.ReadWriter) {
			buf := make([]byte, messageSize)
			for range warmUp + 1 {
				if _, err := io.ReadFull(c, buf); err != nil {
					return
				}
				if at >= 0 {
					buf[at] ^= 1
				}
				if _, err := c.Write(buf); err != nil {
					return
				}
			}
		}
	}
	for name, serve := range map[string]func(io.ReadWriter){
		"first byte":  flip(0),
		"middle byte": flip(messageSize / 2),
		"last byte":   flip(messageSize - 1),
		"hangs up":    flip(-1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := load(dialPlain, listen(t, serve), 1, messageSize, false, time.Hour, nil, io.Discard); err == nil {
				t.Error("load = nil, want an error")
			}
		})
	}
}

// TestMessages: consecutive messages differ, and so do the messages of two clients.
func TestMessages(t *testing.T) {
	addr := listen(t, func(c io.ReadWriter) { io.Copy(c, c) })
	clients, err := connect(dialPlain, addr, 2, messageSize, false, time.Now().Add(time.Minute))
	defer hangUp(clients)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for range messageSize {
		for _, c := range clients {
			m := string(c.message())
			if len(m) != messageSize || seen[m] {
				t.Fatalf("a message of %d bytes that was sent before: %v", len(m), seen[m])
			}
			seen[m] = true
		}
	}
}
