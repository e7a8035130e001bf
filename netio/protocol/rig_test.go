// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"syscall"
	"testing"

	"baton/loop"
	"baton/loop/poll"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// sorts are the kinds of protocols.
var sorts = []struct {
	name string
	of   func(c *protocoltest.Checker) protocol.Base
}{
	{"plain", func(c *protocoltest.Checker) protocol.Base { return c.Plain() }},
	{"buffered", func(c *protocoltest.Checker) protocol.Base { return c.Buffered() }},
	{"task", func(c *protocoltest.Checker) protocol.Base { return c.Task() }},
}

// eachSort runs a test in a simulation and with the kernel, for each kind of protocol.
func eachSort(t *testing.T, fn func(ctx context.Context, t *testing.T, of func(*protocoltest.Checker) protocol.Base)) {
	for _, s := range sorts {
		t.Run(s.name, func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) { fn(ctx, t, s.of) })
		})
	}
}

// eachWorld runs a test in a simulation and with the kernel.
func eachWorld(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Run("sim", func(t *testing.T) { sim.Test(t, fn) })
	t.Run("kernel", func(t *testing.T) {
		err := task.Run(t.Context(), func(ctx context.Context) error {
			task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Error(e) })
			fn(ctx, t)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// shrink, if not nil, gives a socket small buffers. It is a Control function.
var shrink func(network, address string, c syscall.RawConn) error

// shrunk returns config with small buffers in the kernel, for tests that fill them. A simulated
// network always has small buffers.
func shrunk(ctx context.Context, config protocol.Config) protocol.Config {
	if !task.Loop(ctx).Poller().Caps().Has(poll.Virtual) {
		config.Dialer.Control, config.Listen.Control = shrink, shrink
	}
	return config
}

// pair returns a stream and, at the other end, a transport with the protocol p. Both end at the
// latest with the test. The buffers of the connection are small.
func pair(ctx context.Context, t *testing.T, config protocol.Config, p protocol.Base) (*netio.Stream, *protocol.Transport) {
	t.Helper()
	config = shrunk(ctx, config)
	ln, err := config.Listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tr, err := config.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return p })
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s, tr
}

// must fails the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes all of p.
func write(ctx context.Context, t *testing.T, s *netio.Stream, p []byte) {
	t.Helper()
	_, err := s.Write(ctx, p)
	must(t, err)
}

// wantErr fails the test unless err is want.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// goTask starts fn as a task, and returns a function that waits for it.
func goTask(ctx context.Context, fn func(ctx context.Context) error) (join func(ctx context.Context) error) {
	w := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return func(ctx context.Context) error {
		_, err := w.Await(ctx)
		return err
	}
}

// inCallback runs fn as a callback of the loop, and waits until it has returned.
func inCallback(ctx context.Context, t *testing.T, fn func()) {
	t.Helper()
	var done task.Future[bool]
	task.Loop(ctx).CallSoon(func() {
		defer done.Set(true)
		fn()
	})
	_, err := done.Await(ctx)
	must(t, err)
}

// exceptions collects what the loop's exception handler receives from now on.
func exceptions(ctx context.Context) *[]loop.Exception {
	var list []loop.Exception
	task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { list = append(list, e) })
	return &list
}

// turns waits for n turns of the loop.
func turns(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	for range n {
		must(t, task.Yield(ctx))
	}
}

// crowd writes more than the network buffers to a peer that does not read, and returns the bytes.
// The connection must be shrunk. Nothing pauses the writes.
func crowd(ctx context.Context, t *testing.T, tr *protocol.Transport) (written []byte) {
	t.Helper()
	high, low := tr.WriteBufferLimits()
	tr.SetWriteBufferLimits(1<<30, 1<<29)
	enough := 1 << 20 // the kernel buffers less than 700 KiB
	switch {
	case task.Loop(ctx).Poller().Caps().Has(poll.Virtual):
		enough = 256 << 10 // the network buffers 64 KiB
	case shrink == nil:
		enough = 8 << 20
	}
	for piece := 0; len(written) < enough; piece++ {
		p := bytes.Repeat([]byte{byte(piece)}, 64<<10)
		_, err := tr.Write(p)
		must(t, err)
		written = append(written, p...)
	}
	turns(ctx, t, 50) // the kernel accepts what it can
	if high != 64<<10 || low != 16<<10 {
		tr.SetWriteBufferLimits(high, low)
	}
	return written
}

// until waits until ok returns true. It calls ok in every turn.
func until(ctx context.Context, t *testing.T, ok func() bool) {
	t.Helper()
	for !ok() {
		must(t, task.Yield(ctx))
	}
}

// readAll reads to the end of the stream, and fails the test unless the bytes are want.
func readAll(ctx context.Context, t *testing.T, s *netio.Stream, want []byte) {
	t.Helper()
	got, err := s.ReadAll(ctx, 64<<20)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the peer read %d bytes, want %d; the first different one is %d", len(got), len(want), differ(got, want))
	}
}

func differ(a, b []byte) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}

// streams returns the two ends of a connection, whose buffers are small.
func streams(ctx context.Context, t *testing.T) (near, far *netio.Stream) {
	t.Helper()
	config := shrunk(ctx, protocol.Config{})
	ln, err := config.Listen.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	near, err = config.Dialer.Dial(ctx, "tcp", ln.Addr().String())
	must(t, err)
	far, err = ln.Accept(ctx)
	must(t, err)
	return near, far
}

// securePair is pair, with TLS or without.
func securePair(ctx context.Context, t *testing.T, secure bool, p protocol.Base) (*netio.Stream, *protocol.Transport) {
	t.Helper()
	if !secure {
		return pair(ctx, t, protocol.Config{}, p)
	}
	server, client := certificate(t)
	near, far := streams(ctx, t)
	join := goTask(ctx, func(ctx context.Context) error { return far.AcceptTLS(ctx, server) })
	must(t, near.StartTLS(ctx, client))
	must(t, join(ctx))
	d, err := near.Detach(ctx)
	must(t, err)
	tr, err := protocol.Attach(ctx, d, p)
	must(t, err)
	return far, tr
}
