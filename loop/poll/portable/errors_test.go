// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

func TestOperationErrors(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, server := r.pair(loopback)
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := newRig(t, portable.Config{}).pair(loopback)
	for _, c := range []struct {
		name string
		op   *poll.Op
		want error
	}{
		{"foreign", read(foreign), poll.ErrForeign},
		{"no handle", read(nil), poll.ErrForeign},
		{"provided", &poll.Op{Kind: poll.Read, Handle: client}, errors.ErrUnsupported},
		{"readable", &poll.Op{Kind: poll.Readable, Handle: client}, errors.ErrUnsupported},
		{"no kind", &poll.Op{Handle: client}, errors.ErrUnsupported},
		{"accept of a stream", &poll.Op{Kind: poll.Accept, Handle: client}, errors.ErrUnsupported},
		{"read of a listener", read(l), errors.ErrUnsupported},
		{"connect to nothing", &poll.Op{Kind: poll.Connect}, errors.ErrUnsupported},
		{"connect to IP", &poll.Op{Kind: poll.Connect, Addr: &net.IPAddr{}}, errors.ErrUnsupported},
	} {
		if r.finish(c.op); !errors.Is(c.op.Err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.op.Err, c.want)
		}
	}
	if err := l.CloseWrite(); err == nil {
		t.Error("CloseWrite of a listener succeeded, want an error")
	}
	l.Close()
	if op := r.finish(&poll.Op{Kind: poll.Accept, Handle: l}); op.Err != net.ErrClosed {
		t.Errorf("accept of a closed listener: %v, want net.ErrClosed", op.Err)
	}

	// Errors of the kernel are not wrapped in a *net.OpError.
	refused := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()})
	server.Abort()
	reset := r.finish(read(client))
	for _, c := range []struct {
		op   *poll.Op
		want error
	}{{refused, syscall.ECONNREFUSED}, {reset, syscall.ECONNRESET}} {
		if _, dressed := errors.AsType[*net.OpError](c.op.Err); dressed || !errors.Is(c.op.Err, c.want) {
			t.Errorf("%v: %#v, want a bare %v", c.op.Kind, c.op.Err, c.want)
		}
	}
}

func TestListenErrors(t *testing.T) {
	r := newRig(t, portable.Config{})
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr net.Addr
		want error
	}{
		{l.LocalAddr(), syscall.EADDRINUSE},
		{&net.IPAddr{}, errors.ErrUnsupported},
		{nil, errors.ErrUnsupported},
	} {
		_, err := r.Listen(c.addr, poll.ListenOptions{})
		if opErr, ok := errors.AsType[*net.OpError](err); !ok || opErr.Op != "listen" || !errors.Is(err, c.want) {
			t.Errorf("Listen(%v): %v, want %v", c.addr, err, c.want)
		}
	}
}
