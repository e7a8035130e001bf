// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Three clients at once receive what each of them has sent: nothing, a line, and more than the
// server's buffer holds.
func TestEcho(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		server := task.StartErr(ctx, serve)
		if err := await.Sleep(ctx, time.Second); err != nil { // until the server listens
			t.Fatal(err)
		}
		messages := [][]byte{{}, []byte("hello\n"), bytes.Repeat([]byte("0123456"), 100_000)}
		_, err := await.Map(ctx, messages, func(ctx context.Context, message []byte) (struct{}, error) {
			return struct{}{}, exchange(ctx, message)
		})
		if err != nil {
			t.Error(err)
		}
		server.Cancel(nil)
		if _, err := server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func exchange(ctx context.Context, message []byte) error {
	s, err := netio.Dial(ctx, "tcp", "localhost:8000")
	if err != nil {
		return err
	}
	defer s.Close()
	writing := task.StartErr(ctx, func(ctx context.Context) error {
		if _, err := s.Write(ctx, message); err != nil {
			return err
		}
		return s.CloseWrite()
	})
	got, err := s.ReadAll(ctx, len(message))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, message) {
		return fmt.Errorf("%d bytes came back wrong as %d", len(message), len(got))
	}
	_, err = writing.Await(ctx)
	return err
}
