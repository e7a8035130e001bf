// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts the server and returns when the server listens.
func start(ctx context.Context, t *testing.T) *task.Task[struct{}] {
	server := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, serve(ctx) })
	if err := await.Sleep(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	return server
}

// exchange sends a message and closes its writing direction. It returns an error unless the
// server sends the message back and then closes.
func exchange(ctx context.Context, message []byte) error {
	s, err := netio.Dial(ctx, "tcp", "localhost:7000")
	if err != nil {
		return err
	}
	defer s.Close()
	var back bytes.Buffer
	return task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error {
			if _, err := s.Write(ctx, message); err != nil {
				return err
			}
			return s.CloseWrite()
		})
		if _, err := back.ReadFrom(s.NetConn(ctx)); err != nil {
			return err
		}
		if !bytes.Equal(back.Bytes(), message) {
			return errors.New("the answer is not the message")
		}
		return nil
	})
}

// Every client receives what it has sent: nothing, a little, or more than the buffers hold.
func TestEcho(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		server := start(ctx, t)
		messages := make([][]byte, 30)
		for i := range messages {
			messages[i] = bytes.Repeat([]byte{byte(i)}, i*i*i*i)
		}
		_, err := await.Map(ctx, messages, func(ctx context.Context, m []byte) (struct{}, error) {
			return struct{}{}, exchange(ctx, m)
		})
		if err != nil {
			t.Error(err)
		}
		server.Cancel(nil)
		if _, err := server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the server: %v", err)
		}
	})
}

// A server that is cancelled ends when its clients have disconnected, after 30 seconds at the
// latest.
func TestCancelWaitsForClients(t *testing.T) {
	for stays, wanted := range map[time.Duration]time.Duration{
		10 * time.Second: 10 * time.Second,
		time.Hour:        30 * time.Second,
	} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			server := start(ctx, t)
			s, err := netio.Dial(ctx, "tcp", "localhost:7000")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			began := task.Now(ctx)
			server.Cancel(nil)
			s.SetReadTimeout(stays)
			_, _ = s.ReadLine(ctx) // until the client or the server disconnects
			s.Close()
			_, err = server.Await(ctx)
			var left *netio.LeftError
			if errors.As(err, &left) != (stays > wanted) {
				t.Errorf("with a client that stays for %v, the server: %v", stays, err)
			}
			if took := task.Now(ctx).Sub(began); took != wanted {
				t.Errorf("with a client that stays for %v the server ended after %v, want %v", stays, took, wanted)
			}
		})
	}
}
