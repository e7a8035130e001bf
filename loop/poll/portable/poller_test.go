// SPDX-License-Identifier: Apache-2.0

package portable_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"baton/loop/poll"
	"baton/loop/poll/portable"
)

func TestNewPanicsInSynctestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if message, _ := recover().(string); !strings.Contains(message, "package sim") {
				t.Errorf("New in a bubble panicked with %q, want a message that names package sim", message)
			}
		}()
		portable.New(portable.Config{})
	})
}

func TestSubmitOfOperationInFlightPanics(t *testing.T) {
	r := newRig(t, portable.Config{})
	client, _ := r.pair(loopback)
	reading := read(client)
	r.Submit(reading)
	defer func() {
		if recover() == nil {
			t.Error("Submit of an operation in flight did not panic")
		}
	}()
	r.Submit(reading)
}

// Close ends all operations in flight. goleak checks that no goroutine is left.
func TestCloseEndsEveryOperation(t *testing.T) {
	asked := make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	r := newRig(t, portable.Config{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ask() // called once for each address family
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}})
	client, server := r.pair(loopback)
	l, err := r.Listen(loopback, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unaccepted := r.finish(&poll.Op{Kind: poll.Connect, Addr: l.LocalAddr()}).Handle
	for _, op := range []*poll.Op{
		read(client),
		read(server),
		read(unaccepted),
		{Kind: poll.Write, Handle: client, Buf: make([]byte, 64<<20)},
		{Kind: poll.Lookup, Network: "ip", Host: "unknown.invalid"},
		{Kind: poll.Connect, Addr: l.LocalAddr()},
		{Kind: poll.Accept, Handle: l},
	} {
		if r.Submit(op) {
			t.Errorf("%v completed at once, error %v", op.Kind, op.Err)
		}
	}
	<-asked
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if done := r.Wait(nil, -1); len(done) != 0 {
		t.Errorf("Wait of a closed poller reported %d operations, want 0", len(done))
	}
	if op := read(client); !r.Submit(op) || op.Err != net.ErrClosed {
		t.Errorf("Submit to a closed poller: %v, want net.ErrClosed", op.Err)
	}
	if _, err := r.Listen(loopback, poll.ListenOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen of a closed poller: %v, want net.ErrClosed", err)
	}
	if conn, err := net.Dial("tcp", l.LocalAddr().String()); err == nil {
		conn.Close()
		t.Error("the listener accepts connections after Close")
	}
}
