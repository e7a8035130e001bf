// SPDX-License-Identifier: Apache-2.0

package chat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/examples/compare/chat"
	"baton/examples/compare/chat/load"
)

// Clients join, send messages and leave, and the others receive that.
func TestTalk(t *testing.T) {
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		ann := r.join(t, "ann")
		ann.sends("", "/who", "alone")
		ann.wants(chat.Who([]string{"ann"}))

		bob := r.dial(t)
		bob.wants(chat.Ask)
		bob.sends("", "two words", "bob!", "a1234567890123456789b", "ann")
		bob.wants(chat.BadName, chat.BadName, chat.BadName, chat.BadName, chat.Taken)
		bob.sends("Bob2\r")
		bob.wants(chat.Welcome("Bob2"))
		ann.wants(chat.Joined("Bob2"))

		bob.sends("/who", "/me waves", "hello", " /quit \r")
		bob.wants(chat.Who([]string{"ann", "Bob2"}), chat.Unknown)
		ann.wants(chat.Said("Bob2", "hello"), chat.Said("Bob2", " /quit "))
		ann.sends("hello yourself")
		bob.wants(chat.Said("ann", "hello yourself"))
		if got, want := r.stats(), (chat.Stats{Clients: 2, Messages: 4}); got != want {
			t.Errorf("stats: %v, want %v", got, want)
		}

		bob.sends("/quit")
		bob.leaves(chat.Quit)
		ann.wants(chat.Left("Bob2", chat.Quit))
		ann.sends("/who")
		ann.wants(chat.Who([]string{"ann"}))

		r.join(t, "Bob2") // the name is free again
		ann.wants(chat.Joined("Bob2"))
	})
}

// Clients without a name receive nothing and are not announced. They can leave.
func TestNameless(t *testing.T) {
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		ann := r.join(t, "ann")
		nameless := r.dial(t)
		nameless.wants(chat.Ask)
		bob := r.join(t, "bob")
		ann.wants(chat.Joined("bob"))
		bob.sends("hello")
		ann.wants(chat.Said("bob", "hello"))
		if got := r.stats().Clients; got != 2 {
			t.Errorf("%d clients, want 2", got)
		}
		nameless.sends("/quit")
		nameless.leaves(chat.Quit)
		bob.sends("again")
		ann.wants(chat.Said("bob", "again"))
	})
}

// All clients receive the messages in one order. A client does not receive its own messages.
func TestOrder(t *testing.T) {
	const clients, messages = 8, 50
	both(t, chat.Config{Queue: clients * messages}, func(t *testing.T, r *room) {
		watcher := r.join(t, "watcher")
		var guests []*guest
		for i := range clients {
			g := r.join(t, fmt.Sprint("guest", i))
			for _, other := range append(guests, watcher) {
				other.wants(chat.Joined(g.name))
			}
			guests = append(guests, g)
		}
		order := make([]string, clients*messages)
		seen := make([][]string, clients)
		var running sync.WaitGroup
		for i, g := range guests {
			running.Go(func() {
				for n := range messages {
					g.sends(fmt.Sprint(n))
				}
			})
			running.Go(func() {
				for range (clients - 1) * messages {
					line, _ := g.in.ReadString('\n')
					seen[i] = append(seen[i], line)
				}
			})
		}
		for i := range order {
			order[i], _ = watcher.in.ReadString('\n')
		}
		running.Wait()
		next := make([]int, clients)
		for _, line := range order {
			var who, n int
			if _, err := fmt.Sscanf(line, "<guest%d> %d\n", &who, &n); err != nil || n != next[who] {
				t.Fatalf("the watcher sees %q, %v", line, err)
			}
			next[who]++
		}
		for i, g := range guests {
			want := slices.DeleteFunc(slices.Clone(order), func(line string) bool {
				return strings.HasPrefix(line, "<"+g.name+">")
			})
			if !slices.Equal(seen[i], want) {
				t.Errorf("%s does not see what the watcher sees", g.name)
			}
		}
	})
}

// A client that does not read leaves, and the others do not wait for it. All others receive its
// leaving at the same place: after the line for which its queue had no space. When the client
// reads again, it receives the lines in its queue, and the reason.
func TestSlow(t *testing.T) {
	const queue = 16
	text := strings.Repeat(".", 20000) // long, because the kernel buffers megabytes of it
	both(t, chat.Config{Queue: queue, MaxLine: len(text), Grace: time.Minute}, func(t *testing.T, r *room) {
		first, slow := r.join(t, "first"), r.join(t, "slow")
		first.wants(chat.Joined("slow"))
		last, talker := r.join(t, "last"), r.join(t, "talker")
		first.wants(chat.Joined("last"), chat.Joined("talker"))
		last.wants(chat.Joined("talker"))
		slow.wants(chat.Joined("last"), chat.Joined("talker"))

		// The talker waits until the others have the messages, so the others are not too slow.
		sent := 0
		for r.stats().Clients == 4 {
			talker.sends(text)
			sent++
			first.wants(chat.Said("talker", text))
			last.wants(chat.Said("talker", text))
		}
		for _, g := range []*guest{first, last, talker} {
			g.wants(chat.Left("slow", chat.Slow))
		}
		slow.sends("unheard")
		talker.sends("the end")
		first.wants(chat.Said("talker", "the end"))
		last.wants(chat.Said("talker", "the end"))

		got := 0
		line, err := slow.in.ReadString('\n')
		for ; line == chat.Said("talker", text); got++ {
			line, err = slow.in.ReadString('\n')
		}
		if line != chat.Bye(chat.Slow) {
			t.Errorf("slow reads %q, %v", line, err)
		}
		slow.ends()
		if got < queue || got >= sent {
			t.Errorf("slow reads %d messages of %d", got, sent)
		}
	})
}

// A client that sends commands and does not read the answers leaves.
func TestFlood(t *testing.T) {
	batch := []byte(strings.Repeat("/unknown\n", 1000))
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		ann, flood := r.join(t, "ann"), r.join(t, "flood")
		ann.wants(chat.Joined("flood"))
		var writing sync.WaitGroup
		writing.Go(func() {
			var err error
			for err == nil {
				_, err = flood.conn.Write(batch)
			}
		})
		ann.wants(chat.Left("flood", chat.Slow))
		flood.conn.Close()
		writing.Wait()
	})
}

// A client that sends no line for too long leaves, with or without a name.
func TestIdle(t *testing.T) {
	both(t, chat.Config{IdleTimeout: 50 * time.Millisecond}, func(t *testing.T, r *room) {
		nameless := r.dial(t)
		nameless.wants(chat.Ask)
		nameless.leaves(chat.Idle)
		begun := r.dial(t)
		begun.wants(chat.Ask)
		fmt.Fprint(begun.conn, "beg") // this is no line
		begun.leaves(chat.Idle)
	})
}

// If there are too many clients, the room closes further connections until a client has left.
func TestFull(t *testing.T) {
	both(t, chat.Config{MaxClients: 2}, func(t *testing.T, r *room) {
		ann := r.join(t, "ann")
		nameless := r.dial(t)
		nameless.wants(chat.Ask)
		late := r.dial(t)
		late.wants(chat.Full)
		late.ends()
		nameless.sends("/quit")
		nameless.leaves(chat.Quit)
		ann.sends("/who") // after the answer, the room knows that the connection has ended
		ann.wants(chat.Who([]string{"ann"}))
		for {
			bob := r.dial(t)
			if line, err := bob.in.ReadString('\n'); err != nil {
				t.Fatal(err)
			} else if line == chat.Ask {
				break
			}
		}
	})
}

// A line may have MaxLine bytes without the line end.
func TestLongLine(t *testing.T) {
	const most = 100
	both(t, chat.Config{MaxLine: most}, func(t *testing.T, r *room) {
		ann, bob := r.join(t, "ann"), r.join(t, "bob")
		ann.wants(chat.Joined("bob"))
		text := strings.Repeat(".", most)
		bob.sends(text, text[1:]+"\r")
		ann.wants(chat.Said("bob", text), chat.Said("bob", text[1:]))
		fmt.Fprint(bob.conn, text, ".") // without the line end
		bob.leaves(chat.TooLong)
		ann.wants(chat.Left("bob", chat.TooLong))
		ann.sends(text + ".\nunheard")
		ann.leaves(chat.TooLong)
	})
}

// A client that closes its writing direction leaves, and receives its last lines. A client that
// resets the connection leaves as well. Text without a line end is not a line.
func TestGone(t *testing.T) {
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		ann, bob, cid := r.join(t, "ann"), r.join(t, "bob"), r.join(t, "cid")
		ann.wants(chat.Joined("bob"), chat.Joined("cid"))
		bob.wants(chat.Joined("cid"))
		fmt.Fprint(bob.conn, "/who\nunfinished")
		bob.conn.CloseWrite()
		bob.wants(chat.Who([]string{"ann", "bob", "cid"}))
		bob.leaves(chat.Gone)
		ann.wants(chat.Left("bob", chat.Gone))
		cid.conn.SetLinger(0)
		cid.conn.Close()
		ann.wants(chat.Left("cid", chat.Gone))
	})
}

// When the room closes, all clients receive the lines in their queues and the reason. The room
// does not announce that they leave.
func TestClose(t *testing.T) {
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		ann, bob := r.join(t, "ann"), r.join(t, "bob")
		ann.wants(chat.Joined("bob"))
		nameless := r.dial(t)
		nameless.wants(chat.Ask)
		ann.sends("last words", "/who")
		ann.wants(chat.Who([]string{"ann", "bob"}))
		r.close()
		for _, g := range []*guest{ann, nameless} {
			g.wants(chat.Bye(chat.Closing))
			g.sends("more") // has no effect
		}
		ann.ends()
		nameless.ends()
		bob.wants(chat.Said("ann", "last words"))
		bob.leaves(chat.Closing)
		if err := <-r.over; err != nil {
			t.Errorf("Serve: %v", err)
		}
		r.over <- nil
		if _, err := net.Dial("tcp", r.addr.String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial after the end: %v", err)
		}
	})
}

// Clients that connect while the room closes leave as well, or are not accepted.
func TestConnectWhileTheRoomCloses(t *testing.T) {
	for i := range 20 {
		t.Run(fmt.Sprint("round", i), func(t *testing.T) {
			both(t, chat.Config{Grace: time.Minute}, func(t *testing.T, r *room) {
				var late []*guest
				for range 5 {
					late = append(late, r.dial(t))
				}
				r.close()
				for _, g := range late {
					io.Copy(io.Discard, g.in) // to the end of the connection, after any text
					g.conn.Close()
				}
			})
		})
	}
}

// The room resets the connection of a client that does not close its end within the grace.
func TestCut(t *testing.T) {
	both(t, chat.Config{Grace: 50 * time.Millisecond}, func(t *testing.T, r *room) {
		stays, quits := r.join(t, "stays"), r.join(t, "quits")
		stays.wants(chat.Joined("quits"))
		quits.sends("/quit")
		quits.wants(chat.Bye(chat.Quit))
		stays.wants(chat.Left("quits", chat.Quit))
		r.close()
		if err := <-r.over; err != nil { // while both connections are open
			t.Errorf("Serve: %v", err)
		}
		r.over <- nil
	})
}

// Serve returns an error if it cannot listen.
func TestListen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			ready := func(net.Addr, func() chat.Stats) { t.Error("Ready is called") }
			err := v.serve(context.Background(), ln.Addr().String(), chat.Config{Ready: ready})
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// The load delivers each message to all other clients.
func TestLoad(t *testing.T) {
	both(t, chat.Config{}, func(t *testing.T, r *room) {
		got, err := load.Run(t.Context(), r.addr.String(), load.Config{Clients: 10, Messages: 50})
		if err != nil || got.Deliveries != 10*9*50 || got.Latencies[0] <= 0 {
			t.Errorf("%d deliveries, %v", got.Deliveries, err)
		}
		if got := r.stats().Messages; got != 500 {
			t.Errorf("%d messages", got)
		}
		release, err := load.Hold(t.Context(), r.addr.String(), 20)
		if got := r.stats().Clients; err != nil || got != 20 {
			t.Errorf("%d clients, %v", got, err)
		}
		release()
	})
}
