// SPDX-License-Identifier: Apache-2.0

// The tests are inside: there is nothing to import in a program.

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// messageSize is that of the echo rows.
const messageSize = 1 << 10

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen serves every connection by serve and returns the address.
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

// TestLoad: it connects, waits to be let go, sends, and tells how many came back.
func TestLoad(t *testing.T) {
	addr := listen(t, func(c io.ReadWriter) { io.Copy(c, c) })
	var out bytes.Buffer
	if err := load(addr, 3, messageSize, 10*time.Millisecond, strings.NewReader("go\n"), &out); err != nil {
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

// TestHeld: without the line it waits for, it does not begin.
func TestHeld(t *testing.T) {
	addr := listen(t, func(c io.ReadWriter) { io.Copy(c, c) })
	var out bytes.Buffer
	if err := load(addr, 1, messageSize, time.Hour, strings.NewReader(""), &out); err == nil {
		t.Error("load = nil, want an error")
	}
	if got := out.String(); got != "connected 1\n" {
		t.Errorf("printed %q", got)
	}
}

// TestFaults: a byte that came back wrong is found, wherever it is, and so is an
// echo that ends too soon.
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
			if err := load(listen(t, serve), 1, messageSize, time.Hour, nil, io.Discard); err == nil {
				t.Error("load = nil, want an error")
			}
		})
	}
}

// TestMessages: no two messages in a row are equal, nor those of two clients.
func TestMessages(t *testing.T) {
	addr := listen(t, func(c io.ReadWriter) { io.Copy(c, c) })
	clients, err := connect(addr, 2, messageSize, time.Now().Add(time.Minute))
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
