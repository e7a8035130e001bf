// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"context"
	"errors"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// sorts are the ways in which a protocol is given bytes.
var sorts = []struct {
	name string
	of   func(c *protocoltest.Checker) protocol.Base
}{
	{"plain", func(c *protocoltest.Checker) protocol.Base { return c.Plain() }},
	{"buffered", func(c *protocoltest.Checker) protocol.Base { return c.Buffered() }},
	{"task", func(c *protocoltest.Checker) protocol.Base { return c.Task() }},
}

// eachSort runs a test in simulation and over the kernel, for each sort of protocol.
func eachSort(t *testing.T, fn func(ctx context.Context, t *testing.T, of func(*protocoltest.Checker) protocol.Base)) {
	for _, s := range sorts {
		t.Run(s.name, func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) { fn(ctx, t, s.of) })
		})
	}
}

// eachWorld runs a test in simulation and over the kernel.
func eachWorld(t *testing.T, fn func(ctx context.Context, t *testing.T)) {
	t.Run("sim", func(t *testing.T) { sim.Test(t, fn) })
	t.Run("kernel", func(t *testing.T) {
		err := task.Run(t.Context(), func(ctx context.Context) error {
			fn(ctx, t)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// pair returns a stream and a transport with the protocol p at the other end. Both end
// with the test at the latest.
func pair(ctx context.Context, t *testing.T, config protocol.Config, p protocol.Base) (*netio.Stream, *protocol.Transport) {
	t.Helper()
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
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

// must fails the test for an error.
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

// goTask starts fn as a task, and returns what waits for it.
func goTask(ctx context.Context, fn func(ctx context.Context) error) (join func(ctx context.Context) error) {
	w := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return func(ctx context.Context) error {
		_, err := w.Await(ctx)
		return err
	}
}
