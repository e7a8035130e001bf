// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// A counter is a service whose state belongs to the loop.
type counter struct {
	health.UnimplementedHealthServer
	portal *task.Portal
	checks map[string]int // by service; belongs to the loop
	ended  chan error     // receives the results of slow checks
}

// Check implements health.HealthServer: gRPC calls it on its own goroutine. The work is done by a
// task, which is cancelled when the call ends.
func (c *counter) Check(ctx context.Context, r *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	answer := &health.HealthCheckResponse{}
	call := c.portal.Go(func(ctx context.Context) (err error) {
		answer.Status, err = c.check(ctx, r.Service)
		return err
	})
	defer context.AfterFunc(ctx, func() { call.Cancel(ctx.Err()) })()
	if err := call.Wait(); err != nil {
		return nil, err
	}
	return answer, nil
}

// check does the work of Check, on a task.
func (c *counter) check(ctx context.Context, service string) (health.HealthCheckResponse_ServingStatus, error) {
	c.checks[service]++
	if strings.HasPrefix(service, "slow") {
		err := await.Sleep(ctx, time.Hour)
		c.ended <- err // is buffered
		return 0, err
	}
	return health.HealthCheckResponse_SERVING, await.Sleep(ctx, time.Millisecond)
}

// Watch implements health.HealthServer. It sends twenty results of Check.
func (c *counter) Watch(r *health.HealthCheckRequest, stream health.Health_WatchServer) error {
	for range 20 {
		answer, err := c.Check(stream.Context(), r)
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return nil
}

// serveGRPC serves until the server is stopped or the task is cancelled.
func serveGRPC(ctx context.Context, srv *grpc.Server, ln *netio.Listener) error {
	accepting := ln.NetListener(ctx)
	_, err := await.Blocking(ctx, func(ctx context.Context) (struct{}, error) {
		defer context.AfterFunc(ctx, srv.Stop)()
		return struct{}{}, srv.Serve(accepting)
	})
	return err
}

// newGRPC returns a client whose connections the loop serves.
func newGRPC(ctx context.Context, address string, backoff backoff.Config) (*grpc.ClientConn, error) {
	dial := netio.Dialer{}.DialFunc(ctx) // connections live as long as ctx
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff, MinConnectTimeout: 20 * time.Second}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dial(ctx, "tcp", address)
		}))
}

// The same loop serves the connections of the client and of the server. The calls run outside the
// loop, and the handlers run on it.
func TestGRPC(t *testing.T) {
	within(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		h := &counter{portal: task.OpenPortal(ctx), checks: make(map[string]int), ended: make(chan error, 2)}
		srv := grpc.NewServer()
		health.RegisterHealthServer(srv, h)
		serving := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, serveGRPC(ctx, srv, ln) })
		conn, err := newGRPC(ctx, ln.Addr().String(), backoff.DefaultConfig)
		if err != nil {
			return err
		}
		client := health.NewHealthClient(conn)
		check := func(ctx context.Context, service string) error {
			return on(ctx, func(ctx context.Context) error {
				_, err := client.Check(ctx, &health.HealthCheckRequest{Service: service})
				return err
			})
		}
		if err := task.Scope(ctx, func(ctx context.Context) error {
			for range 100 {
				task.Go(ctx, func(ctx context.Context) error { return check(ctx, "quick") })
			}
			return nil
		}); err != nil {
			return err
		}
		if err := on(ctx, func(ctx context.Context) error {
			stream, err := client.Watch(ctx, &health.HealthCheckRequest{Service: "watched"})
			if err != nil {
				return err
			}
			for range 20 {
				if a, err := stream.Recv(); err != nil || a.Status != health.HealthCheckResponse_SERVING {
					t.Fatalf("Recv returned %v, %v", a, err)
				}
			}
			return nil
		}); err != nil {
			return err
		}
		if h.checks["quick"] != 100 || h.checks["watched"] != 20 {
			t.Errorf("the checks are %v, want 100 quick and 20 watched", h.checks)
		}
		err = await.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error { return check(ctx, "slow, timeout") })
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a timeout: %v", err)
		}
		slow := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, check(ctx, "slow, cancel") })
		for h.checks["slow, cancel"] == 0 {
			if err := await.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		slow.Cancel(nil)
		if _, err := slow.Await(ctx); status.Code(err) != codes.Canceled {
			t.Errorf("a cancel: %v", err)
		}
		// The handlers also end. The first call may have ended before it reached its handler.
		for range h.checks["slow, timeout"] + h.checks["slow, cancel"] {
			if _, _, err := await.Receive(ctx, h.ended); err != nil {
				return err
			}
		}
		if err := on(ctx, func(context.Context) error { return conn.Close() }); err != nil {
			return err
		}
		if err := on(ctx, func(context.Context) error { srv.GracefulStop(); return nil }); err != nil {
			return err
		}
		_, err = serving.Await(ctx)
		return err
	})
}
