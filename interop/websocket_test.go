// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// A socket is one end of a WebSocket, of either library. A call may switch if its caller is a task.
type socket interface {
	// read returns the next message. It answers pings and a close message.
	read() (text bool, data []byte, err error)

	// write writes a message. It fragments a message of several pieces.
	write(text bool, pieces ...[]byte) error

	// close sends a close message and waits for the answer. No other task may read.
	close(code int, reason string) error

	// ping sends a ping to an echoing peer and waits for the pong.
	ping(ctx context.Context) error

	// leave sends a close message while another task reads, which receives the answer.
	leave(ctx context.Context, code int) error

	// drop closes the connection without a close message.
	drop()
}

// A library opens sockets.
type library struct {
	name string

	// accept answers a request for a WebSocket.
	accept func(w http.ResponseWriter, r *http.Request, compress bool) (socket, error)

	// dialer returns a function that opens a WebSocket over a connection of netio, which
	// lives as long as ctx. With outside, goroutines call the function. The url begins with ws
	// or wss.
	dialer func(ctx context.Context, config *tls.Config, compress, outside bool) dialer

	// closed returns the code of the peer's close message, or -1.
	closed func(err error) int
}

type dialer func(ctx context.Context, url string) (socket, *http.Response, error)

var libraries = []library{gorillas, coders}

// everyLoop runs fn as the root task, with a loop of each kind.
func everyLoop(t *testing.T, fn func(ctx context.Context, t *testing.T) error) {
	for _, poller := range []string{"portable", "epoll"} {
		for _, handoff := range []task.Handoff{task.Channel, task.Coroutine} {
			t.Run(fmt.Sprintf("%s %v", poller, handoff), func(t *testing.T) {
				t.Setenv("BATON_POLLER", poller)
				boundedBy(t, 3*time.Minute, task.Runner{Handoff: handoff}, func(ctx context.Context) error { return fn(ctx, t) })
			})
		}
	}
}

// withSockets runs fn while a WebSocket server runs.
func withSockets(ctx context.Context, config *tls.Config, handler http.Handler, fn func(ctx context.Context, url string) error) error {
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &httpio.Server{TLSConfig: config, Handler: handler}
	task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
	scheme := "ws://"
	if config != nil {
		scheme = "wss://"
	}
	if err := fn(ctx, scheme+ln.Addr().String()); err != nil {
		return err
	}
	return srv.Shutdown(ctx)
}

// echoing is a handler that sends each message back until the client closes or sends bye.
func echoing(t *testing.T, lib library, compress bool) http.Handler {
	return accepting(t, lib, compress, func(_ context.Context, s socket) {
		if err := repeat(s, lib); err != nil {
			t.Errorf("the server: %v", err)
		}
	})
}

// accepting is a handler that accepts a socket and calls fn.
func accepting(t *testing.T, lib library, compress bool, fn func(ctx context.Context, s socket)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := lib.accept(w, r, compress)
		if err != nil {
			t.Error(err)
			return
		}
		defer s.drop()
		fn(r.Context(), s)
	})
}

// repeat sends each message back until the peer closes or sends bye.
func repeat(s socket, lib library) error {
	for {
		text, data, err := s.read()
		switch {
		case lib.closed(err) == 4001:
			return nil
		case err != nil:
			return err
		case string(data) == "bye":
			return s.close(4002, "bye yourself")
		}
		if err := s.write(text, data); err != nil {
			return err
		}
	}
}

// converse sends messages of all kinds to an echoing server, and closes.
func converse(s socket, lib library, bye bool) error {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	messages := []struct {
		text   bool
		pieces [][]byte
	}{
		{true, [][]byte{[]byte("hello, wörld")}},
		{false, [][]byte{all}},
		{true, [][]byte{{}}},
		{true, [][]byte{long}},
		{false, [][]byte{long[:5000], all, long[:100_000], {}, all}},
	}
	if bye {
		messages = messages[:3]
	}
	for _, m := range messages {
		if err := s.write(m.text, m.pieces...); err != nil {
			return err
		}
		text, got, err := s.read()
		if err != nil {
			return err
		}
		if want := bytes.Join(m.pieces, nil); text != m.text || !bytes.Equal(got, want) {
			return fmt.Errorf("a message of %d bytes, text %v, was returned with %d bytes, text %v", len(want), m.text, len(got), text)
		}
	}
	if !bye {
		return s.close(4001, "enough")
	}
	if err := s.write(true, []byte("bye")); err != nil {
		return err
	}
	if _, _, err := s.read(); lib.closed(err) != 4002 {
		return errors.Join(errors.New("the server has not closed with 4002"), err)
	}
	s.drop()
	return nil
}

// A manner is a way to run a handler.
type manner struct {
	name string
	wrap func(http.Handler) http.Handler
}

var manners = []manner{
	{"on a task", func(h http.Handler) http.Handler { return h }},
	{"with an outbox", func(h http.Handler) http.Handler { return httpio.Outbox(2<<20, h) }},
	{"outside the loop", httpio.Blocking},
}

// Both libraries run unmodified at both ends, with and without TLS, and with and without
// compression.
func TestWebSocket(t *testing.T) {
	id := newIdentity(t)
	everyLoop(t, func(ctx context.Context, t *testing.T) error {
		for _, server := range libraries {
			for _, client := range libraries {
				for i, manner := range manners {
					for _, secure := range []bool{false, true} {
						d := dialog{t: t, server: server, client: client, wrap: manner.wrap, compress: secure != (i == 1)}
						if secure {
							d.serverTLS, d.clientTLS = id.server(), id.client()
						}
						if err := d.run(ctx); err != nil {
							return fmt.Errorf("%s at %s %s, TLS %v: %w", client.name, server.name, manner.name, secure, err)
						}
					}
				}
			}
		}
		return nil
	})
}

// A dialog is one client and one server.
type dialog struct {
	t                    *testing.T
	server, client       library
	wrap                 func(http.Handler) http.Handler
	serverTLS, clientTLS *tls.Config
	compress             bool
}

func (d *dialog) run(ctx context.Context) error {
	h := d.wrap(echoing(d.t, d.server, d.compress))
	return withSockets(ctx, d.serverTLS, h, func(ctx context.Context, url string) error {
		for _, bye := range []bool{false, true} {
			s, resp, err := d.client.dialer(ctx, d.clientTLS, d.compress, false)(ctx, url)
			if err != nil {
				return err
			}
			got := resp.Header.Get("Sec-WebSocket-Extensions")
			if strings.HasPrefix(got, "permessage-deflate") != d.compress {
				d.t.Errorf("the extensions are %q", got)
			}
			if err := converse(s, d.client, bye); err != nil {
				return err
			}
		}
		return nil
	})
}
