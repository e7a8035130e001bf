// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/examples/compare/proxy"
	"baton/examples/compare/proxy/goroutines"
	"baton/examples/compare/proxy/tasks"
	"baton/task"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// versions are the two implementations. All tests run against both.
var versions = []struct {
	name  string
	serve func(ctx context.Context, address string, backends []string, cfg proxy.Config) error
}{
	{"tasks", serveTasks},
	{"goroutines", goroutines.Serve},
}

// serveTasks runs the version with tasks on its own loop. Only the loop may read its
// statistics, so other goroutines read them through a portal.
func serveTasks(ctx context.Context, address string, backends []string, cfg proxy.Config) error {
	return task.Run(ctx, func(ctx context.Context) error {
		portal := task.OpenPortal(ctx)
		ready := cfg.Ready
		cfg.Ready = func(addr net.Addr, stats func() proxy.Stats) {
			ready(addr, func() (s proxy.Stats) {
				portal.Do(func(context.Context) error { s = stats(); return nil })
				return s
			})
		}
		return tasks.Serve(ctx, address, backends, cfg)
	})
}

// A site is a running proxy with its backends.
type site struct {
	addr     net.Addr
	backends []*backend
	stats    func() proxy.Stats
	close    context.CancelFunc
	over     chan error // receives what Serve returns

	conns []*conn // to the proxy, of clients
}

// both runs a test against both versions, with a number of backends. At the end it closes all
// connections, and fails the test if Serve does not return want.
func both(t *testing.T, backends int, cfg proxy.Config, want error, test func(t *testing.T, s *site)) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			s := &site{over: make(chan error, 1)}
			var addresses []string
			for i := range backends {
				b := listen(t, fmt.Sprint("backend", i), "127.0.0.1:0")
				s.backends = append(s.backends, b)
				addresses = append(addresses, b.ln.Addr().String())
			}
			ready := make(chan struct{})
			cfg := cfg
			cfg.Ready = func(addr net.Addr, stats func() proxy.Stats) {
				s.addr, s.stats = addr, stats
				close(ready)
			}
			var ctx context.Context
			ctx, s.close = context.WithCancel(t.Context())
			go func() { s.over <- v.serve(ctx, "127.0.0.1:0", addresses, cfg) }()
			<-ready
			test(t, s)
			if want == nil {
				for _, c := range s.conns {
					c.Close() // otherwise the proxy waits for the grace
				}
			}
			s.close()
			s.ends(t, want)
		})
	}
}

// ends waits until Serve returns, and fails the test if Serve does not return want.
func (s *site) ends(t *testing.T, want error) {
	t.Helper()
	if err := <-s.over; fmt.Sprint(err) != fmt.Sprint(want) {
		t.Errorf("Serve: %v, want %v", err, want)
	}
	s.over <- want // for the next call
}

// until waits until is returns true for the statistics.
func (s *site) until(t *testing.T, what string, is func(proxy.Stats) bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for n := 0; !is(s.stats()); n++ {
		if n == 60_000 {
			t.Fatalf("%s: not yet; %+v", what, s.stats())
		}
		<-look.C
	}
}

func waiting(n int) func(proxy.Stats) bool {
	return func(s proxy.Stats) bool { return s.Waiting == n }
}

// A conn is a connection in a test. A conn that waits for too long fails the test.
type conn struct {
	*net.TCPConn
	t    *testing.T
	name string
	in   *bufio.Reader
}

func newConn(t *testing.T, name string, c net.Conn) *conn {
	c.SetDeadline(time.Now().Add(time.Minute))
	return &conn{c.(*net.TCPConn), t, name, bufio.NewReader(c)}
}

// dial connects to the proxy.
func (s *site) dial(t *testing.T) *conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	client := newConn(t, fmt.Sprint("client", len(s.conns)), c)
	s.conns = append(s.conns, client)
	return client
}

// sends sends a line.
func (c *conn) sends(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Errorf("%s sends: %v", c.name, err)
	}
}

// receives reads a line, and fails the test if it is not want.
func (c *conn) receives(want string) {
	c.t.Helper()
	if got, err := c.in.ReadString('\n'); err != nil || got != want+"\n" {
		c.t.Fatalf("%s receives %q, %v, want %q", c.name, got, err, want)
	}
}

// ends fails the test unless the other end closes the connection (io.EOF) or resets it.
func (c *conn) ends(want error) {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); !errors.Is(err, want) || len(rest) > 0 {
		c.t.Errorf("%s receives %q, %v, want %v", c.name, rest, err, want)
	}
}

// A backend is a server behind the proxy. It sends its name to each connection, and reads a
// line. Most connections are health checks, and end without a line.
type backend struct {
	name    string
	ln      net.Listener
	talking chan *conn // connections that have sent a line
	running sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// listen starts a backend. It ends with the test.
func listen(t *testing.T, name, address string) *backend {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{name: name, ln: ln, talking: make(chan *conn, 100)}
	b.running.Go(func() { b.accept(t) })
	t.Cleanup(b.end)
	return b
}

// end closes the backend and its connections.
func (b *backend) end() {
	b.ln.Close()
	b.mu.Lock()
	for _, c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}

func (b *backend) accept(t *testing.T) {
	for {
		c, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns = append(b.conns, c)
		b.mu.Unlock()
		b.running.Go(func() {
			server := newConn(t, b.name, c)
			io.WriteString(c, b.name+"\n")
			if _, err := server.in.ReadString('\n'); err != nil {
				c.Close()
				return
			}
			b.talking <- server
		})
	}
}

// pair returns the two ends of a new connection through the proxy to b. The next backend must
// be b.
func (s *site) pair(t *testing.T, b *backend) (client, server *conn) {
	t.Helper()
	client = s.dial(t)
	client.receives(b.name)
	client.sends("hello")
	return client, <-b.talking
}
