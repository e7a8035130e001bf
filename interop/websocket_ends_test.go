// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// everyPair runs fn for each pair of libraries, with a loop of each kind.
func everyPair(t *testing.T, fn func(ctx context.Context, t *testing.T, server, client library) error) {
	everyLoop(t, func(ctx context.Context, t *testing.T) error {
		for _, server := range libraries {
			for _, client := range libraries {
				if err := fn(ctx, t, server, client); err != nil {
					return fmt.Errorf("%s at %s: %w", client.name, server.name, err)
				}
			}
		}
		return nil
	})
}

// dialed returns a socket of the client, for a task.
func (lib library) dialed(ctx context.Context, url string) (socket, error) {
	s, _, err := lib.dialer(ctx, nil, false, false)(ctx, url)
	return s, err
}

// Goroutines use sockets over connections of our dialer.
func TestWebSocketOfGoroutines(t *testing.T) {
	everyPair(t, func(ctx context.Context, t *testing.T, server, client library) error {
		return withSockets(ctx, nil, echoing(t, server, true), func(ctx context.Context, url string) error {
			dial := client.dialer(ctx, nil, true, true)
			_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) {
				s, _, err := dial(ctx, url)
				if err != nil {
					return 0, err
				}
				return 0, converse(s, client, false)
			})
			return err
		})
	})
}

// Both ends send pings and receive pongs.
func TestWebSocketPing(t *testing.T) {
	everyPair(t, func(ctx context.Context, t *testing.T, server, client library) error {
		err := withSockets(ctx, nil, echoing(t, server, false), func(ctx context.Context, url string) error {
			s, err := client.dialed(ctx, url)
			if err != nil {
				return err
			}
			return errors.Join(s.ping(ctx), s.close(4001, ""))
		})
		if err != nil {
			return err
		}
		h := accepting(t, server, false, func(ctx context.Context, s socket) {
			if err := errors.Join(s.ping(ctx), s.close(4001, "")); err != nil {
				t.Error(err)
			}
		})
		return withSockets(ctx, nil, h, func(ctx context.Context, url string) error {
			s, err := client.dialed(ctx, url)
			if err != nil {
				return err
			}
			defer s.drop()
			return repeat(s, client)
		})
	})
}

// When a client closes the connection without a close message, the handler ends, and so does the
// connection.
func TestWebSocketClientGone(t *testing.T) {
	everyPair(t, func(ctx context.Context, t *testing.T, server, client library) error {
		var ended locks.Event
		h := accepting(t, server, false, func(_ context.Context, s socket) {
			defer ended.Set()
			if _, _, err := s.read(); err != nil {
				t.Error(err)
			}
			if _, _, err := s.read(); err == nil || server.closed(err) == 4001 {
				t.Errorf("the server read %v", err)
			}
		})
		return withSockets(ctx, nil, h, func(ctx context.Context, url string) error {
			s, err := client.dialed(ctx, url)
			if err != nil {
				return err
			}
			if err := s.write(true, []byte("x")); err != nil {
				return err
			}
			s.drop()
			return ended.Wait(ctx)
		})
	})
}

// A server that shuts down closes its sockets with 1001. One task of each connection reads, and
// another task waits for the shutdown. Both tasks write, so the connection has an outbox.
func TestWebSocketShutdown(t *testing.T) {
	everyPair(t, func(ctx context.Context, t *testing.T, server, client library) error {
		h := accepting(t, server, false, func(ctx context.Context, s socket) {
			task.Go(ctx, func(ctx context.Context) error {
				until, release := netio.UntilShutdown(ctx)
				defer release()
				if err := await.Forever(until); !errors.Is(err, netio.ErrShutdown) {
					return err
				}
				return s.leave(ctx, 1001)
			})
			if err := s.write(true, []byte("welcome")); err != nil {
				t.Error(err)
			}
			if _, _, err := s.read(); server.closed(err) != 1001 {
				t.Errorf("the server read %v", err)
			}
		})
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{Handler: httpio.Outbox(1<<20, h)}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		var clients []*task.Task[struct{}]
		for range 3 {
			s, err := client.dialed(ctx, "ws://"+ln.Addr().String())
			if err != nil {
				return err
			}
			if _, _, err := s.read(); err != nil {
				return err
			}
			clients = append(clients, task.StartErr(ctx, func(context.Context) error {
				defer s.drop()
				if _, _, err := s.read(); client.closed(err) != 1001 {
					return fmt.Errorf("the client read %w", err)
				}
				return nil
			}))
		}
		if err := srv.Shutdown(ctx); err != nil {
			return err
		}
		_, err = await.All(ctx, clients...)
		return err
	})
}

// At each end, one task reads while another one writes, on 200 connections at a time.
func TestManyWebSockets(t *testing.T) {
	const conns, messages = 200, 10
	everyLoop(t, func(ctx context.Context, t *testing.T) error {
		for _, lib := range libraries {
			h := accepting(t, lib, false, func(ctx context.Context, s socket) { bothWays(ctx, t, s, messages) })
			err := withSockets(ctx, nil, h, func(ctx context.Context, url string) error {
				open := locks.NewBarrier(conns)
				return task.Scope(ctx, func(ctx context.Context) error {
					for range conns {
						task.Go(ctx, func(ctx context.Context) error {
							s, err := lib.dialed(ctx, url)
							if err != nil {
								return err
							}
							defer s.drop()
							if _, err := open.Wait(ctx); err != nil {
								return err
							}
							bothWays(ctx, t, s, messages)
							return nil
						})
					}
					return nil
				})
			})
			if err != nil {
				return fmt.Errorf("%s: %w", lib.name, err)
			}
		}
		return nil
	})
}

// bothWays starts a task that sends messages, and reads as many itself.
func bothWays(ctx context.Context, t *testing.T, s socket, n int) {
	writer := task.StartErr(ctx, func(ctx context.Context) error {
		for i := range n {
			if err := s.write(true, fmt.Append(nil, i)); err != nil {
				return err
			}
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range n {
		if _, got, err := s.read(); err != nil || string(got) != fmt.Sprint(i) {
			t.Errorf("message %d is %q, %v", i, got, err)
			break
		}
	}
	if _, err := writer.Await(ctx); err != nil {
		t.Error(err)
	}
}

// With an outbox, a client that sends pings and reads nothing delays only its own connection: the
// task that answers the pings does not wait for the lock that the writing task holds.
func TestWebSocketOutbox(t *testing.T) {
	const much = 16 << 20
	everyLoop(t, func(ctx context.Context, t *testing.T) error {
		for _, server := range libraries {
			var over locks.Event
			h := accepting(t, server, false, func(ctx context.Context, s socket) {
				writer := task.StartErr(ctx, func(context.Context) error { return s.write(false, make([]byte, much)) })
				if _, got, err := s.read(); string(got) != "x" || err != nil {
					t.Errorf("%s: the server read %q, %v", server.name, got, err)
				}
				if _, err := writer.Await(ctx); err != nil { // the client still reads nothing
					t.Error(err)
				}
				over.Set()
			})
			h = httpio.Outbox(2*much, h)
			err := withSockets(ctx, nil, h, func(ctx context.Context, url string) error {
				s, err := netio.Dial(ctx, "tcp", url[len("ws://"):])
				if err != nil {
					return err
				}
				defer s.Close()
				const ping = "\x89\x80\x00\x00\x00\x00"
				_, err = s.Write(ctx, []byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))
				if err != nil {
					return err
				}
				if _, err := s.ReadUntil(ctx, []byte("\r\n\r\n")); err != nil {
					return err
				}
				if _, err := s.Write(ctx, []byte(ping+"\x81\x81\x00\x00\x00\x00x")); err != nil {
					return err
				}
				return over.Wait(ctx)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// A timeout around Read of coder/websocket closes the connection on a goroutine, while the task
// closes the connection too.
func TestCoderTimeout(t *testing.T) {
	everyLoop(t, func(ctx context.Context, t *testing.T) error {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseNow()
			ctx, release := await.WithTimeout(r.Context(), time.Millisecond)
			defer release()
			if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the server read %v", err)
			}
		})
		return withSockets(ctx, nil, h, func(ctx context.Context, url string) error {
			s, err := coders.dialed(ctx, url)
			if err != nil {
				return err
			}
			defer s.drop()
			if _, _, err := s.read(); err == nil {
				t.Error("the client read a message, want an error")
			}
			return nil
		})
	})
}
