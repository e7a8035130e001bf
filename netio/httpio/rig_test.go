// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// A rig has two servers with the same handler. Each side sends the bytes of a client, which then
// sends nothing more, and returns everything that the server sends.
type rig struct{ ours, theirs func(sent string) string }

// newRig starts both servers. They end with the test.
func newRig(t testing.TB, h, peers http.Handler) rig {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	conns := make(memListener)
	peer := &http.Server{Handler: peers, ErrorLog: quiet}
	var all sync.WaitGroup
	all.Go(func() { _ = peer.Serve(conns) })
	ctx, cancel := context.WithCancel(context.Background())
	path := filepath.Join(t.TempDir(), "http")
	ready := make(chan struct{})
	all.Go(func() {
		err := task.Run(ctx, func(ctx context.Context) error {
			ln, err := netio.Listen(ctx, "unix", path)
			close(ready)
			if err != nil {
				return err
			}
			return (&httpio.Server{Handler: h, ErrorLog: quiet}).Serve(ctx, ln)
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-ready
	t.Cleanup(func() {
		cancel()
		_ = peer.Close()
		all.Wait()
	})
	return rig{
		ours: func(sent string) string {
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Error(err)
				return ""
			}
			defer c.Close()
			_, _ = io.WriteString(c, sent) // the server may end the connection first
			_ = c.(*net.UnixConn).CloseWrite()
			got, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("%q: %v", got, err)
			}
			return dates.ReplaceAllString(string(got), "")
		},
		theirs: func(sent string) string {
			c := &memConn{in: strings.NewReader(sent), ended: make(chan struct{})}
			conns <- c
			<-c.ended
			c.mu.Lock()
			defer c.mu.Unlock()
			return dates.ReplaceAllString(c.out.String(), "")
		},
	}
}

// A memListener accepts connections in memory, where no reset can destroy a response.
type memListener chan net.Conn

func (l memListener) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l memListener) Close() error   { close(l); return nil }
func (l memListener) Addr() net.Addr { return memAddr{} }

type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return "memory" }

// A memConn returns fixed bytes from Read, and keeps what is written.
type memConn struct {
	mu    sync.Mutex
	in    *strings.Reader
	out   strings.Builder
	once  sync.Once
	ended chan struct{} // closed when the server has closed the connection or its writing direction
}

func (c *memConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.Read(p)
}

func (c *memConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *memConn) CloseWrite() error                { c.once.Do(func() { close(c.ended) }); return nil }
func (c *memConn) Close() error                     { return c.CloseWrite() }
func (c *memConn) LocalAddr() net.Addr              { return memAddr{} }
func (c *memConn) RemoteAddr() net.Addr             { return memAddr{} }
func (c *memConn) SetDeadline(time.Time) error      { return nil }
func (c *memConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

// dump responds with a description of the request. With a query it reads less.
func dump(w http.ResponseWriter, r *http.Request) {
	var b []byte
	var err error
	if r.URL.RawQuery != "unread" {
		b, err = io.ReadAll(io.LimitReader(r.Body, 100))
	}
	fmt.Fprintf(w, "%s %q %s host=%q length=%d coding=%q close=%v body=%q error=%v trailer=%v header=%v",
		r.Method, r.RequestURI, r.Proto, r.Host, r.ContentLength, r.TransferEncoding, r.Close, b, err, r.Trailer, r.Header)
}
