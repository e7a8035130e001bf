// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"

	"baton/locks"
)

// NetListener returns the listener as a net.Listener, for servers that do not know
// tasks, as net/http's. Any goroutine may use it, like a net.Conn of [Stream.NetConn].
//
// The ctx of NetListener is the lifetime of the net.Listener and of its connections.
// When ctx ends, at the latest with its task, Accept fails and the loop closes the
// connections; the listener stays open. Close closes the listener, and leaves the
// connections open.
//
// Any number of goroutines may accept at a time. An Accept of the listener itself
// beside them gets a [*BusyError].
func (l *Listener) NetListener(ctx context.Context) net.Listener {
	life := newLifetime(ctx)
	if r := life.task; r.Loop() != l.loop {
		panicWrongLoop(r, l.loop, "Listener")
	}
	return &netListener{l: l, lifetime: life, addr: l.Addr()}
}

// A netListener is a view of a listener, whose methods are safe from every goroutine.
// The listener and turn belong to the loop.
type netListener struct {
	l *Listener
	lifetime
	addr net.Addr
	mu   locks.Mutex // of those who accept
}

// Accept implements net.Listener. Errors are those of [Listener.Accept]. For the end of
// ctx, callers other than its task get a *net.OpError around the cause.
func (n *netListener) Accept() (conn net.Conn, err error) {
	if n.isOwnTask() {
		return n.accept(n.ctx)
	}
	err = n.callAsTask("accept", "net.Listener", n.opError, func(ctx context.Context) (err error) {
		conn, err = n.accept(ctx)
		return err
	})
	return conn, err
}

func (n *netListener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: n.l.network, Addr: n.addr, Err: err}
}

// accept is Accept on the running task, which ctx belongs to.
func (n *netListener) accept(ctx context.Context) (net.Conn, error) {
	if err := n.mu.Lock(ctx); err != nil {
		return nil, err
	}
	defer n.mu.Unlock()
	s, err := n.l.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return n.owned(s), nil
}

// Close implements net.Listener. After the end of ctx it does not wait for the loop,
// which may not run any more; the loop closes the listener if it does run.
func (n *netListener) Close() error {
	done, err := n.tryOnLoop(n.l.Close)
	if !done {
		_ = n.l.loop.Driver().Post(closing(n.l.Close)) // a closed loop has closed every listener
	}
	return err
}

// Addr implements net.Listener, also after Close. It does not wait for the loop.
func (n *netListener) Addr() net.Addr { return n.addr }
