// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"

	"baton/locks"
)

// NetListener returns the listener as a net.Listener, for servers that do not use tasks,
// such as net/http's. Any goroutine may use it, like a net.Conn of [Stream.NetConn].
//
// ctx is the lifetime of the net.Listener and of its connections. When ctx ends, which is
// with its task at the latest, Accept fails and the loop closes the connections; the
// listener stays open. Close closes the listener, and leaves the connections open.
//
// Many goroutines may call Accept at once. An Accept of the listener itself gets a
// [*BusyError] meanwhile.
func (l *Listener) NetListener(ctx context.Context) net.Listener {
	life := newLifetime(ctx)
	if r := life.task; r.Loop() != l.loop {
		panicWrongLoop(r, l.loop, "Listener")
	}
	return &netListener{l: l, lifetime: life, addr: l.Addr()}
}

// A netListener is a net.Listener of a listener. Its methods are safe for concurrent use;
// the listener and mu belong to the loop.
type netListener struct {
	l *Listener
	lifetime
	addr net.Addr
	mu   locks.Mutex // held during an Accept of the listener
}

// Accept implements net.Listener. Errors are those of [Listener.Accept]. When ctx has
// ended, callers other than its task get a *net.OpError around the cause.
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

// accept implements Accept on the running task, to which ctx belongs.
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

// Close implements net.Listener. After the end of ctx it does not wait for the loop, which
// may have stopped running. If the loop still runs, it closes the listener.
func (n *netListener) Close() error {
	done, err := n.tryOnLoop(n.l.Close)
	if !done {
		_ = n.l.loop.Driver().Post(closing(n.l.Close)) // a closed loop has closed every listener
	}
	return err
}

// Addr implements net.Listener, also after Close. It does not wait for the loop.
func (n *netListener) Addr() net.Addr { return n.addr }
