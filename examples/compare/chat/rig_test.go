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

// versions are the implementations. All tests run with each.
var versions = []struct {
	name  string
	serve func(ctx context.Context, address string, cfg chat.Config) error
}{
	{"tasks", serveTasks},
	{"goroutines", goroutines.Serve},
}

// serveTasks runs the version with tasks on a loop of its own. Its statistics belong to
// the loop, so other goroutines get them through a portal.
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

// A room is a server that runs.
type room struct {
	addr  net.Addr
	stats func() chat.Stats
	close context.CancelFunc
	over  chan error // gets what Serve returns

	guests []*guest
}

// both runs a test with each version.
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
				g.conn.Close() // or else the room waits for the grace
			}
			r.close()
			if err := <-r.over; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// A guest is a client of a test.
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

// join is dial, and joins the room.
func (r *room) join(t *testing.T, name string) *guest {
	t.Helper()
	g := r.dial(t)
	g.wants(chat.Ask)
	g.says(name)
	g.wants(chat.Welcome(name))
	g.name = name
	return g
}

// says sends lines.
func (g *guest) says(lines ...string) {
	g.t.Helper()
	if _, err := io.WriteString(g.conn, strings.Join(lines, "\n")+"\n"); err != nil {
		g.t.Errorf("%s says: %v", g.name, err)
	}
}

// wants reads lines.
func (g *guest) wants(lines ...string) {
	g.t.Helper()
	for _, want := range lines {
		if got, err := g.in.ReadString('\n'); err != nil || got != want {
			g.t.Fatalf("%s reads %q, %v, want %q", g.name, got, err, want)
		}
	}
}

// leaves wants the last line, and then the end of the connection.
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
