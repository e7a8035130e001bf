// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// startNATS starts a NATS server in this process and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	return s.ClientURL()
}

// A natsDialer implements the interface that nats.go expects.
type natsDialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d natsDialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

// connectNATS connects outside the loop: a nats.Conn has its own goroutines. The connection lives
// as long as ctx.
func connectNATS(ctx context.Context, url string) (*nats.Conn, error) {
	dialer := natsDialer(netio.Dialer{}.DialFunc(ctx))
	return await.Blocking(ctx, func(context.Context) (*nats.Conn, error) {
		return nats.Connect(url, nats.SetCustomDialer(dialer), nats.NoReconnect())
	})
}

// withNATS runs fn on a task with a connection.
func withNATS(t *testing.T, fn func(ctx context.Context, nc *nats.Conn) error) {
	t.Helper()
	url := startNATS(t)
	within(t, func(ctx context.Context) error {
		nc, err := connectNATS(ctx, url)
		if err != nil {
			return err
		}
		err = fn(ctx, nc)
		return errors.Join(err, closeNATS(ctx, nc))
	})
}

// closeNATS closes a connection and waits until its goroutines have ended.
func closeNATS(ctx context.Context, nc *nats.Conn) error {
	return on(ctx, func(context.Context) error {
		closed := nc.StatusChanged(nats.CLOSED)
		nc.Close()
		<-closed
		return nil
	})
}

// A task receives messages from a channel.
func TestNATSSubscribe(t *testing.T) {
	withNATS(t, func(ctx context.Context, nc *nats.Conn) error {
		messages := make(chan *nats.Msg, 1000)
		if err := on(ctx, func(ctx context.Context) error {
			if _, err := nc.ChanSubscribe("news.*", messages); err != nil {
				return err
			}
			for i := range 1000 {
				if err := nc.Publish("news.today", fmt.Append(nil, i)); err != nil {
					return err
				}
			}
			return nc.FlushWithContext(ctx)
		}); err != nil {
			return err
		}
		for i := range 1000 {
			m, _, err := await.Receive(ctx, messages)
			if err != nil {
				return err
			}
			if string(m.Data) != fmt.Sprint(i) {
				t.Fatalf("message %d: %s", i, m.Data)
			}
		}
		return nil
	})
}

// answer answers requests by tasks of the loop: nats.go calls the function on its own goroutine,
// and a portal starts a task.
func answer(nc *nats.Conn, subject string, portal *task.Portal, fn func(ctx context.Context, m *nats.Msg) error) error {
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		portal.Go(func(ctx context.Context) error { return fn(ctx, m) })
	})
	return err
}

// Tasks answer the requests of other tasks. A timeout or a cancel ends a request.
func TestNATSRequest(t *testing.T) {
	withNATS(t, func(ctx context.Context, nc *nats.Conn) error {
		count := 0 // belongs to the loop
		portal := task.OpenPortal(ctx)
		if err := on(ctx, func(context.Context) error {
			return answer(nc, "count", portal, func(ctx context.Context, m *nats.Msg) error {
				count++
				text := fmt.Append(nil, count)
				return on(ctx, func(context.Context) error { return m.Respond(text) })
			})
		}); err != nil {
			return err
		}
		request := func(ctx context.Context, subject, text string) error {
			return on(ctx, func(ctx context.Context) error {
				_, err := nc.RequestWithContext(ctx, subject, []byte(text))
				return err
			})
		}
		if err := task.Scope(ctx, func(ctx context.Context) error {
			for range 50 {
				task.Go(ctx, func(ctx context.Context) error { return request(ctx, "count", "") })
			}
			return nil
		}); err != nil {
			return err
		}
		if count != 50 {
			t.Errorf("the service counted %d requests, want 50", count)
		}
		silent := make(chan *nats.Msg, 2)
		if err := on(ctx, func(ctx context.Context) error {
			_, err := nc.ChanSubscribe("silent", silent)
			return errors.Join(err, nc.FlushWithContext(ctx))
		}); err != nil {
			return err
		}
		err := await.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error { return request(ctx, "silent", "timeout") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a timeout: %v", err)
		}
		pending := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, request(ctx, "silent", "cancel") })
		for text := ""; text != "cancel"; { // the other request may have ended before it was sent
			m, _, err := await.Receive(ctx, silent)
			if err != nil {
				return err
			}
			text = string(m.Data)
		}
		pending.Cancel(nil)
		if _, err := pending.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancel: %v", err)
		}
		return nil
	})
}

// After a restart of the server, nats.go connects again with the same dialer. Subscriptions remain,
// and messages that were published in the meantime arrive.
func TestNATSReconnect(t *testing.T) {
	s := launchChild(t, "nats")
	within(t, func(ctx context.Context) error {
		lost, again := make(chan error, 1), make(chan error, 1)
		dialer := natsDialer(netio.Dialer{}.DialFunc(ctx)) // nats.go also uses it to reconnect
		nc, err := await.Blocking(ctx, func(context.Context) (*nats.Conn, error) {
			return nats.Connect("nats://"+s.address, nats.SetCustomDialer(dialer),
				nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0),
				nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { lost <- err }),
				nats.ReconnectHandler(func(*nats.Conn) { again <- nil }))
		})
		if err != nil {
			return err
		}
		messages := make(chan *nats.Msg, 200)
		publish := func(text string) error {
			return on(ctx, func(context.Context) error {
				for i := range 100 {
					if err := nc.Publish("news", fmt.Append(nil, text, i)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		receive := func(text string) error {
			for i := range 100 {
				m, _, err := await.Receive(ctx, messages)
				if err != nil {
					return err
				}
				if got, want := string(m.Data), fmt.Sprint(text, i); got != want {
					t.Fatalf("the message is %q, want %q", got, want)
				}
			}
			return nil
		}
		if err := on(ctx, func(context.Context) error {
			_, err := nc.ChanSubscribe("news", messages)
			return err
		}); err != nil {
			return err
		}
		if err := errors.Join(publish("before"), receive("before")); err != nil {
			return err
		}
		if err := on(ctx, func(context.Context) error { s.kill(); return nil }); err != nil {
			return err
		}
		if _, _, err := await.Receive(ctx, lost); err != nil {
			return err
		}
		if err := publish("in between"); err != nil {
			return err
		}
		if err := on(ctx, func(context.Context) error { return s.start() }); err != nil {
			return err
		}
		if _, _, err := await.Receive(ctx, again); err != nil {
			return err
		}
		if err := errors.Join(receive("in between"), publish("afterwards"), receive("afterwards")); err != nil {
			return err
		}
		return closeNATS(ctx, nc)
	})
}
