// SPDX-License-Identifier: Apache-2.0

package chat_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/examples/compare/chat"
	"baton/examples/compare/chat/goroutines"
	"baton/examples/compare/chat/tasks"
	"baton/task"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// versions are the two implementations. All tests run against both.
var versions = []struct {
	name  string
	serve func(ctx context.Context, address string, cfg chat.Config) error
}{
	{"tasks", serveTasks},
	{"goroutines", goroutines.Serve},
}

// serveTasks runs the version with tasks on its own loop. Only the loop may read its
// statistics, so other goroutines read them through a portal.
func serveTasks(ctx context.Context, address string, cfg chat.Config) error {
	return task.Run(ctx, func(ctx context.Context) error {
		portal := task.OpenPortal(ctx)
		ready := cfg.Ready
		cfg.Ready = func(addr net.Addr, stats func() chat.Stats) {
			ready(addr, func() (s chat.Stats) {
				portal.Do(func(context.Context) error { s = stats(); return nil })
				return s
			})
		}
		return tasks.Serve(ctx, address, cfg)
	})
}

// A room is a running server.
type room struct {
	addr  net.Addr
	stats func() chat.Stats
	close context.CancelFunc
	over  chan error // receives what Serve returns

	guests []*guest
}

// both runs a test against both versions.
func both(t *testing.T, cfg chat.Config, test func(t *testing.T, r *room)) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			r := &room{over: make(chan error, 1)}
			ready := make(chan struct{})
			cfg := cfg
			cfg.Ready = func(addr net.Addr, stats func() chat.Stats) {
				r.addr, r.stats = addr, stats
				close(ready)
			}
			var ctx context.Context
			ctx, r.close = context.WithCancel(t.Context())
			go func() { r.over <- v.serve(ctx, "127.0.0.1:0", cfg) }()
			<-ready
			test(t, r)
			for _, g := range r.guests {
				g.conn.Close() // otherwise the room waits for the grace
			}
			r.close()
			if err := <-r.over; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// A guest is a client in a test.
type guest struct {
	t    *testing.T
	name string
	conn *net.TCPConn
	in   *bufio.Reader
}

// dial connects to the room. A guest that waits for too long fails the test.
func (r *room) dial(t *testing.T) *guest {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	g := &guest{t, "?", conn.(*net.TCPConn), bufio.NewReader(conn)}
	r.guests = append(r.guests, g)
	return g
}

// join connects to the room and joins it.
func (r *room) join(t *testing.T, name string) *guest {
	t.Helper()
	g := r.dial(t)
	g.wants(chat.Ask)
	g.sends(name)
	g.wants(chat.Welcome(name))
	g.name = name
	return g
}

// sends sends lines.
func (g *guest) sends(lines ...string) {
	g.t.Helper()
	if _, err := io.WriteString(g.conn, strings.Join(lines, "\n")+"\n"); err != nil {
		g.t.Errorf("%s sends: %v", g.name, err)
	}
}

// wants reads lines, and fails the test if they are different.
func (g *guest) wants(lines ...string) {
	g.t.Helper()
	for _, want := range lines {
		if got, err := g.in.ReadString('\n'); err != nil || got != want {
			g.t.Fatalf("%s reads %q, %v, want %q", g.name, got, err, want)
		}
	}
}

// leaves fails the test unless the next line is the last line and the connection ends.
func (g *guest) leaves(why string) {
	g.t.Helper()
	g.wants(chat.Bye(why))
	g.ends()
}

func (g *guest) ends() {
	g.t.Helper()
	if rest, err := io.ReadAll(g.in); err != nil || len(rest) > 0 {
		g.t.Errorf("%s reads %q, %v, want the end", g.name, rest, err)
	}
	g.conn.Close()
}
