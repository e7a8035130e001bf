// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// A feed is a net.Listener of the connections that a netio.Server has accepted. Their
// handlers run until package net/http closes them.
type feed struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *feed) Addr() net.Addr { return f.addr }
func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// handle is the handler of the netio.Server.
func (f *feed) handle(ctx context.Context, s *netio.Stream) error {
	c := &served{Conn: s.NetConn(ctx), ended: make(chan struct{})}
	if state, ok := c.Conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		c.state = state.ConnectionState()
	}
	if err := await.Send(ctx, f.conns, net.Conn(c)); err != nil {
		return err
	}
	_, _, err := await.Receive(ctx, c.ended)
	return err
}

// served is a connection that tells its handler of its Close.
type served struct {
	net.Conn
	state tls.ConnectionState
	once  sync.Once
	ended chan struct{}
}

func (c *served) ConnectionState() tls.ConnectionState { return c.state }

func (c *served) Close() error {
	defer c.once.Do(func() { close(c.ended) })
	return c.Conn.Close()
}

// The server and the client of net/http run over encrypted streams.
func TestHTTPS(t *testing.T) {
	id := newIdentity(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		f := &feed{addr: ln.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
		outer := &netio.Server{TLS: id.server()}
		defer outer.Close()
		task.Go(ctx, func(ctx context.Context) error { return outer.ServeListener(ctx, ln, f.handle) })

		inner := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil || r.TLS.ServerName != "localhost" {
				t.Errorf("Request.TLS = %+v", r.TLS)
			}
			body, _ := io.ReadAll(r.Body) // HTTP/1.1 does not answer during a request
			w.Write(body)
		})}
		client := &http.Client{Transport: &http.Transport{DialTLSContext: netio.Dialer{}.DialTLSFunc(ctx, id.client())}}
		_, err = await.Blocking(ctx, func(context.Context) (int, error) {
			serving := make(chan error, 1)
			go func() { serving <- inner.Serve(f) }()
			var all sync.WaitGroup
			for i := range 10 {
				all.Go(func() {
					for j := range 10 {
						text := strings.Repeat(fmt.Sprint(i, j), 10_000)
						resp, err := client.Post("https://"+f.addr.String(), "text/plain", strings.NewReader(text))
						if err != nil {
							t.Error(err)
							return
						}
						if got, err := io.ReadAll(resp.Body); string(got) != text || err != nil {
							t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
						}
						resp.Body.Close()
					}
				})
			}
			all.Wait()
			client.CloseIdleConnections()
			if err := inner.Shutdown(context.Background()); err != nil {
				return 0, err
			}
			if err := <-serving; !errors.Is(err, http.ErrServerClosed) {
				return 0, err
			}
			return 0, nil
		})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
