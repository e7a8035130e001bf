// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// FuzzAddress checks that Dial and Listen return an error and never panic, whatever the address
// is. They parse an address as package net does.
func FuzzAddress(f *testing.F) {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix", "udp", ""} {
		for _, address := range []string{
			"", ":", ":80", "127.0.0.1:80", "[::1]:80", "::1:80", "[::1%lo]:80", "[::1%]:0", "[::ffff:1.2.3.4]:1", "localhost:http",
			"localhost:65536", "localhost:-1", "a:b:c", "[::1", "x:no-such-service", "/a/path", "@abstract", "\x00:1", "1.2.3.4.5:0",
		} {
			f.Add(network, address)
		}
	}
	f.Fuzz(func(t *testing.T, network, address string) {
		runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
		err := runner.Run(context.Background(), func(ctx context.Context) error {
			s, err := netio.Dial(ctx, network, address)
			if err == nil {
				s.Close()
			}
			checkAddress(t, "Dial", network, address, err)
			ln, err := netio.Listen(ctx, network, address)
			if err != nil {
				checkAddress(t, "Listen", network, address, err)
				return nil
			}
			defer ln.Close()
			if got, ok := ln.Addr().(*net.TCPAddr); ok {
				host, port, err := net.SplitHostPort(address)
				if err != nil {
					t.Fatalf("Listen(%q, %q) = %v, which has no port", network, address, got)
				}
				if n, err := strconv.Atoi(port); err == nil && n != 0 && n != got.Port {
					t.Errorf("Listen(%q, %q) has port %d", network, address, got.Port)
				}
				if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() && ip.Unmap().WithZone("") != got.AddrPort().Addr().Unmap().WithZone("") {
					t.Errorf("Listen(%q, %q) has address %v", network, address, got)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// checkAddress checks that err is the error that package net returns for the address.
func checkAddress(t *testing.T, call, network, address string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	op, ok := err.(*net.OpError)
	if !ok {
		t.Errorf("%s(%q, %q) = a %T, want a *net.OpError: %v", call, network, address, err, err)
		return
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		if _, _, split := net.SplitHostPort(address); split != nil && split.Error() != op.Err.Error() {
			t.Errorf("%s(%q, %q): %v, want %v", call, network, address, err, split)
		}
	case "unix":
	default:
		if unknown := net.UnknownNetworkError(network); !errors.Is(err, unknown) {
			t.Errorf("%s(%q, %q): %v, want %v", call, network, address, err, unknown)
		}
	}
}
