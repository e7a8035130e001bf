// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"io"
	"net"

	"baton/loop/poll"
	"baton/task"
)

// An operation is an operation of the poller for which a task waits. It is the simplest
// user of Park whose cancel must first get a buffer back.
type operation struct {
	poll.Op
	ref *task.Ref // the waiting task
}

func (o *operation) Reason() string      { return o.Kind.String() }
func (o *operation) Owners() []*task.Ref { return nil }

func (o *operation) Cancel(r *task.Ref) bool {
	r.Loop().Poller().Cancel(&o.Op)
	return false
}

func (o *operation) Complete(*poll.Op) { o.ref.Wake() }

// do submits op and waits for it.
func (p *program) do(ctx context.Context, op poll.Op) (*operation, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	o := &operation{Op: op, ref: r}
	o.Owner = o
	if !p.loop.Driver().Submit(&o.Op) {
		if err := task.Park(ctx, o); err != nil {
			p.t.Errorf("Park with a Waiter that refuses every cancel = %v", err)
		}
	}
	if errors.Is(o.Err, poll.ErrCanceled) {
		if err := task.Check(ctx); err != nil {
			return o, err
		}
	}
	return o, o.Err
}

// socket sends a few bytes over a connection to a task that sends them back.
func (p *program) socket(ctx context.Context, depth int) error {
	ln, err := p.loop.Poller().Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		return err
	}
	defer ln.Close()
	return task.Scope(ctx, func(ctx context.Context) error {
		p.started++
		task.Go(ctx, p.body(func(ctx context.Context) error { return p.echo(ctx, ln) }))
		return p.client(ctx, ln.LocalAddr())
	})
}

// echo serves one connection. It always closes the listener and the connection, so that no
// client waits for ever.
func (p *program) echo(ctx context.Context, ln poll.Handle) error {
	defer ln.Close()
	o, err := p.do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
	if err != nil {
		return err
	}
	conn := o.Accepted
	defer conn.Close()
	buf := make([]byte, 8)
	for {
		o, err := p.do(ctx, poll.Op{Kind: poll.Read, Handle: conn, Buf: buf})
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p.touch()
		if _, err := p.do(ctx, poll.Op{Kind: poll.Write, Handle: conn, Buf: buf[:o.N]}); err != nil {
			return err
		}
	}
}

func (p *program) client(ctx context.Context, addr net.Addr) error {
	o, err := p.do(ctx, poll.Op{Kind: poll.Connect, Addr: addr})
	if err != nil {
		return err
	}
	conn := o.Handle
	defer conn.Close()
	sent := make([]byte, 1+p.rng.IntN(20))
	for i := range sent {
		sent[i] = byte(p.rng.Uint32())
	}
	if _, err := p.do(ctx, poll.Op{Kind: poll.Write, Handle: conn, Buf: sent}); err != nil {
		return err
	}
	got := make([]byte, len(sent))
	for n := 0; n < len(got); {
		o, err := p.do(ctx, poll.Op{Kind: poll.Read, Handle: conn, Buf: got[n:]})
		if err != nil {
			return err
		}
		p.touch()
		n += o.N
	}
	if string(got) != string(sent) {
		p.t.Errorf("sent %x, got back %x", sent, got)
	}
	return nil
}
