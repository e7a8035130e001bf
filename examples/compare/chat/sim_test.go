// SPDX-License-Identifier: Apache-2.0

package chat_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/examples/compare/chat"
	"baton/examples/compare/chat/tasks"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// schedules is how many schedules each simulated test tries.
const schedules = 50

// A world is a room with tasks in a simulated world.
type world struct {
	ctx     context.Context
	t       *testing.T
	address string
	stats   func() chat.Stats
	serving *task.Task[struct{}]
}

// simulate runs fn in many worlds, each with another schedule. After fn, simulate closes the
// room, which must be empty at the end.
func simulate(t *testing.T, cfg chat.Config, fn func(w *world)) {
	for range schedules {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			w := &world{ctx: ctx, t: t}
			cfg := cfg
			cfg.Ready = func(addr net.Addr, stats func() chat.Stats) { w.address, w.stats = addr.String(), stats }
			w.serving = task.StartErr(ctx, func(ctx context.Context) error {
				return tasks.Serve(ctx, "127.0.0.1:7000", cfg)
			})
			w.sleep(1)
			fn(w)
			w.close()
			if got := w.stats().Clients; got != 0 {
				t.Errorf("%d clients are left", got)
			}
		})
	}
}

// close closes the room, and waits until Serve returns.
func (w *world) close() {
	w.t.Helper()
	w.serving.Cancel(nil)
	if _, err := w.serving.Await(w.ctx); err != nil {
		w.t.Errorf("Serve: %v", err)
	}
}

func (w *world) sleep(d time.Duration) {
	if err := await.Sleep(w.ctx, d); err != nil {
		w.t.Fatal(err)
	}
}

// took fails the test if the time since began is not want.
func (w *world) took(what string, began time.Time, want time.Duration) {
	w.t.Helper()
	if took := task.Now(w.ctx).Sub(began); took != want {
		w.t.Errorf("%s took %v, want %v", what, took, want)
	}
}

// A simClient is a client in a simulated world.
type simClient struct {
	*netio.Stream
	w    *world
	name string
}

func (w *world) join(name string) *simClient {
	w.t.Helper()
	s, err := netio.Dial(w.ctx, "tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	v := &simClient{s, w, name}
	v.wants(chat.Ask)
	v.sends(w.ctx, name)
	v.wants(chat.Welcome(name))
	return v
}

func (v *simClient) sends(ctx context.Context, line string) {
	v.w.t.Helper()
	if _, err := v.Write(ctx, []byte(line+"\n")); err != nil {
		v.w.t.Errorf("%s sends: %v", v.name, err)
	}
}

func (v *simClient) wants(lines ...string) {
	v.w.t.Helper()
	for _, want := range lines {
		if got, err := v.ReadLine(v.w.ctx); err != nil || got+"\n" != want {
			v.w.t.Fatalf("%s reads %q, %v, want %q", v.name, got, err, want)
		}
	}
}

// leaves fails the test unless the next line is the last line and the connection ends. Then it
// closes the connection.
func (v *simClient) leaves(why string) {
	v.w.t.Helper()
	v.wants(chat.Bye(why))
	if line, err := v.ReadLine(v.w.ctx); err != io.EOF {
		v.w.t.Errorf("%s reads %q, %v, want the end", v.name, line, err)
	}
	v.Close()
}

// rest reads all lines to the end of the connection.
func (v *simClient) rest(ctx context.Context) []string {
	var lines []string
	for line, err := range v.Lines(ctx) {
		if err != nil {
			break // an incomplete line
		}
		lines = append(lines, line+"\n")
	}
	v.Close()
	return lines
}

// In every schedule all clients receive messages, arrivals and departures in one order.
func TestSimOrder(t *testing.T) {
	const clients, messages = 5, 10
	simulate(t, chat.Config{Queue: 1000, IdleTimeout: time.Hour}, func(w *world) {
		watcher := w.join("watcher")
		seen := make([][]string, clients)
		err := task.Scope(w.ctx, func(ctx context.Context) error {
			for i := range seen {
				task.Go(ctx, func(ctx context.Context) error {
					g := &world{ctx: ctx, t: w.t, address: w.address}
					random := task.Loop(ctx).Rand()
					await.Sleep(ctx, time.Duration(random.Int64N(int64(5*time.Minute))))
					v := g.join(fmt.Sprint("guest", i))
					for n := range messages {
						await.Sleep(ctx, time.Duration(random.Int64N(int64(time.Minute))))
						v.sends(ctx, fmt.Sprint(n))
					}
					v.sends(ctx, "/quit")
					seen[i] = v.rest(ctx)
					return nil
				})
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.serving.Cancel(nil)
		order := watcher.rest(w.ctx)
		if want := clients*(messages+2) + 1; len(order) != want {
			w.t.Errorf("the watcher sees %d lines, want %d", len(order), want)
		}
		for i, lines := range seen {
			name := fmt.Sprint("guest", i)
			first := slices.Index(order, chat.Joined(name)) + 1
			last := slices.Index(order, chat.Left(name, chat.Quit))
			want := slices.DeleteFunc(slices.Clone(order[first:last]), func(line string) bool {
				return strings.HasPrefix(line, "<"+name+">")
			})
			want = append(want, chat.Bye(chat.Quit))
			if !slices.Equal(lines, want) {
				w.t.Errorf("%s sees %q, want %q", name, lines, want)
			}
		}
	})
}

// A client that does not read costs the others no time. If it reads again within the grace, it
// receives its queue and the reason. Later it receives only what the network holds.
func TestSimSlow(t *testing.T) {
	const queue, grace = 8, 2 * time.Minute
	text := strings.Repeat(".", 5000)
	for late, reads := range map[time.Duration]bool{grace - 1: true, grace + 1: false} {
		simulate(t, chat.Config{Queue: queue, MaxLine: len(text), Grace: grace}, func(w *world) {
			slow, talker, reader := w.join("slow"), w.join("talker"), w.join("reader")
			slow.wants(chat.Joined("talker"), chat.Joined("reader"))
			talker.wants(chat.Joined("reader"))
			began := task.Now(w.ctx)
			sent := 0
			for w.stats().Clients == 3 {
				talker.sends(w.ctx, text)
				reader.wants(chat.Said("talker", text))
				sent++
			}
			reader.wants(chat.Left("slow", chat.Slow))
			w.took("the talk", began, 0)
			w.sleep(late)
			got := slow.rest(w.ctx)
			n := len(got)
			if all := got[n-1] == chat.Bye(chat.Slow); all != reads {
				w.t.Errorf("slow reads %d lines, the last is %.50q", n, got[n-1])
			}
			if reads { // only the line for which the queue had no space is lost
				want := append(slices.Repeat([]string{chat.Said("talker", text)}, sent-1), chat.Bye(chat.Slow))
				if !slices.Equal(got, want) {
					w.t.Errorf("slow reads %d lines, want %d", n, len(want))
				}
			}
			w.took("all", began, late)
			reader.Close()
			talker.Close()
		})
	}
}

// In every schedule a client that has left sends no further messages.
func TestSimNoMessageAfterLeaving(t *testing.T) {
	text := strings.Repeat(".", 5000)
	simulate(t, chat.Config{Queue: 4, MaxLine: len(text)}, func(w *world) {
		slow, talker, reader := w.join("slow"), w.join("talker"), w.join("reader")
		reading := task.Start(w.ctx, func(ctx context.Context) ([]string, error) { return reader.rest(ctx), nil })
		for w.stats().Clients == 3 {
			slow.sends(w.ctx, "still here")
			talker.sends(w.ctx, text)
			w.sleep(1)
		}
		slow.Close()
		w.serving.Cancel(nil)
		got, _ := reading.Await(w.ctx)
		left := slices.Index(got, chat.Left("slow", chat.Slow))
		if left < 0 || slices.Contains(got[left:], chat.Said("slow", "still here")) {
			w.t.Errorf("the reader reads %.30q", got)
		}
		talker.Close()
	})
}

// A client leaves exactly when it has been idle for the timeout. Reading does not count.
func TestSimIdle(t *testing.T) {
	const timeout = 10 * time.Minute // the default
	simulate(t, chat.Config{}, func(w *world) {
		idle, busy := w.join("idle"), w.join("busy")
		idle.wants(chat.Joined("busy"))
		began := task.Now(w.ctx)
		w.sleep(timeout - 1)
		busy.sends(w.ctx, "")
		busy.sends(w.ctx, "still here")
		idle.wants(chat.Said("busy", "still here"), chat.Bye(chat.Idle))
		w.took("to be idle", began, timeout)
		idle.Close()
		busy.wants(chat.Left("idle", chat.Idle), chat.Bye(chat.Idle))
		w.took("to be idle later", began, 2*timeout-1)
		busy.Close()
	})
}

// A room that closes ends when the last client has read its lines, or after the grace.
func TestSimClose(t *testing.T) {
	const grace = time.Minute
	for late, want := range map[time.Duration]time.Duration{0: 0, grace - 1: grace - 1, grace + 1: grace} {
		simulate(t, chat.Config{Grace: grace}, func(w *world) {
			slow, prompt := w.join("slow"), w.join("prompt")
			slow.wants(chat.Joined("prompt"))
			began := task.Now(w.ctx)
			w.serving.Cancel(nil)
			prompt.leaves(chat.Closing)
			w.took("to be closed", began, 0)
			reading := task.StartErr(w.ctx, func(ctx context.Context) error {
				if err := await.Sleep(ctx, late); err != nil {
					return err
				}
				slow.rest(ctx)
				return nil
			})
			w.close()
			w.took("to close", began, want)
			if _, err := reading.Await(w.ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
}

// The room resets the connection of a client that leaves and does not close its end, exactly
// after the grace. It makes no difference whether the client sends something.
func TestSimCut(t *testing.T) {
	const grace = time.Minute
	cfg := chat.Config{Grace: grace, IdleTimeout: grace / 4, MaxClients: 1}
	simulate(t, cfg, func(w *world) {
		began := task.Now(w.ctx)
		v := w.join("stays")
		v.sends(w.ctx, "/quit")
		w.sleep(grace/2 + time.Second/2)
		for {
			if _, err := v.Write(w.ctx, []byte("more\n")); err != nil {
				break
			}
			w.sleep(time.Second)
		}
		w.took("to be cut off", began, grace+time.Second/2)
		v.Close()
		w.join("next").Close() // the room has space again
	})
}
