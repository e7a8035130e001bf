// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"net/netip"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

func TestConnectUsesLocalAddress(t *testing.T) {
	r := newRig(t, portable.Config{})
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	free, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	op := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr(), Options: &poll.ConnectOptions{Local: free.LocalAddr()}})
	if op.Err != nil || op.Handle.LocalAddr().String() != free.LocalAddr().String() {
		t.Errorf("connect from %v: %v", free.LocalAddr(), op.Err)
	}
}

func TestLookupOfAddressNeedsNoResolver(t *testing.T) {
	r := newRig(t, portable.Config{})
	for _, c := range []struct {
		network, host string
		found         bool
	}{
		{"ip", "192.0.2.1", true}, {"ip4", "::ffff:192.0.2.1", true}, {"ip6", "192.0.2.1", false}, {"ip6", "::1", true},
	} {
		op := &poll.Op{Kind: poll.Lookup, Network: c.network, Host: c.host}
		if !r.Submit(op) {
			t.Fatalf("the Lookup of %s did not finish at once", c.host)
		}
		if found := op.Err == nil; found != c.found {
			t.Errorf("Lookup of %s in network %s: addresses %v, error %v", c.host, c.network, op.Addrs, op.Err)
		} else if want := netip.MustParseAddr(c.host).Unmap(); found && op.Addrs[0] != want {
			t.Errorf("Lookup of %s in network %s: addresses %v", c.host, c.network, op.Addrs)
		}
	}
}
