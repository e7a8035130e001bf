// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// A site is a service whose state belongs to the loop.
type site struct {
	health.UnimplementedHealthServer
	portal *task.Portal
	asked  map[string]int // belongs to the loop
	ended  chan error     // of checks of "slow"
}

// Check is called on a goroutine of gRPC. It works on a task, which ends with the call.
func (s *site) Check(ctx context.Context, r *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	answer := &health.HealthCheckResponse{}
	call := s.portal.Go(func(ctx context.Context) (err error) {
		answer.Status, err = s.check(ctx, r.Service)
		return err
	})
	defer context.AfterFunc(ctx, func() { call.Cancel(ctx.Err()) })()
	if err := call.Wait(); err != nil {
		return nil, err
	}
	return answer, nil
}

// check runs on a task.
func (s *site) check(ctx context.Context, service string) (health.HealthCheckResponse_ServingStatus, error) {
	s.asked[service]++
	if service == "slow" {
		err := await.Sleep(ctx, time.Hour)
		s.ended <- err // has room
		return 0, err
	}
	return health.HealthCheckResponse_SERVING, await.Sleep(ctx, time.Millisecond)
}

// Watch streams what Check says.
func (s *site) Watch(r *health.HealthCheckRequest, stream health.Health_WatchServer) error {
	for range 20 {
		answer, err := s.Check(stream.Context(), r)
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return nil
}

// serveGRPC serves until the server is stopped, or the task is cancelled.
func serveGRPC(ctx context.Context, srv *grpc.Server, ln *netio.Listener) error {
	accepting := ln.NetListener(ctx)
	_, err := await.Blocking(ctx, func(ctx context.Context) (struct{}, error) {
		defer context.AfterFunc(ctx, srv.Stop)()
		return struct{}{}, srv.Serve(accepting)
	})
	return err
}

// newGRPC returns a client whose connections the loop serves.
func newGRPC(ctx context.Context, address string) (*grpc.ClientConn, error) {
	dial := netio.Dialer{}.DialFunc(ctx) // connections live as long as ctx
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dial(ctx, "tcp", address)
		}))
}

// Client and server are on the same loop; the calls run beside it, and the handlers on it.
func TestGRPC(t *testing.T) {
	within(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		h := &site{portal: task.OpenPortal(ctx), asked: make(map[string]int), ended: make(chan error, 2)}
		srv := grpc.NewServer()
		health.RegisterHealthServer(srv, h)
		serving := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, serveGRPC(ctx, srv, ln) })
		conn, err := newGRPC(ctx, ln.Addr().String())
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
					t.Fatalf("%v, %v", a, err)
				}
			}
			return nil
		}); err != nil {
			return err
		}
		if h.asked["quick"] != 100 || h.asked["watched"] != 20 {
			t.Errorf("the service was asked %v", h.asked)
		}
		err = await.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error { return check(ctx, "slow") })
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a timeout: %v", err)
		}
		slow := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, check(ctx, "slow") })
		for h.asked["slow"] < 2 {
			if err := await.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		slow.Cancel(nil)
		if _, err := slow.Await(ctx); status.Code(err) != codes.Canceled {
			t.Errorf("a cancel: %v", err)
		}
		for range 2 { // the handlers end as well
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
