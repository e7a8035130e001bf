// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A proxy forwards both directions of a connection. When a number of bytes has passed in one
// direction, it injects a fault there.
type proxy struct {
	fault string // "cut", "reset", "stall", "split", or "" for none
	back  bool   // whether the fault is in the direction from the server
	at    int
	step  int // the most bytes of one read

	passed [2]int // from the client, from the server
	hit    bool   // the fault has happened
}

func (p *proxy) String() string {
	return fmt.Sprintf("%s after %d bytes, back %v", p.fault, p.at, p.back)
}

// carry forwards one direction: 0 is the direction from the client.
func (p *proxy) carry(ctx context.Context, direction int, from, to *netio.Stream) {
	buf := make([]byte, p.step)
	for {
		b := buf
		if p.fault != "" && !p.hit && (direction == 1) == p.back {
			b = buf[:min(p.step, p.at-p.passed[direction])]
		}
		if len(b) == 0 {
			p.hit = true
			switch p.fault {
			case "cut":
				from.Close()
				to.Close()
			case "reset":
				from.Abort()
				to.Abort()
			case "stall":
				sleep(ctx, time.Hour)
			case "split":
				sleep(ctx, time.Second)
				continue
			}
			return
		}
		n, err := from.Read(ctx, b)
		p.passed[direction] += n
		if n > 0 {
			to.Write(ctx, b[:n]) // an error shows in the other direction
		}
		if err != nil {
			to.CloseWrite()
			return
		}
	}
}

// between runs d through the proxy.
func (p *proxy) between(ctx context.Context, t *testing.T, w world, d *dialog) {
	front, back := w.pair(ctx, t, d.nearConfig)
	near, far := w.pair(ctx, t, d.farConfig)
	var carrying []*task.Task[int]
	for i, way := range [][2]*netio.Stream{{back, near}, {near, back}} {
		way[0].SetReadTimeout(0)
		carrying = append(carrying, task.Start(ctx, func(ctx context.Context) (int, error) {
			p.carry(ctx, i, way[0], way[1])
			return 0, nil
		}))
	}
	d.run(ctx, front, far)
	for _, c := range carrying {
		c.Cancel(nil)
		c.Await(ctx)
	}
	near.Close()
	back.Close()
}

// check reports a lost or invented byte, an error that does not belong to the fault, and a
// failure without an error.
func (p *proxy) check(t *testing.T, d *dialog, exact bool) {
	t.Helper()
	report := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s, %v: %s", d.name, p, fmt.Sprintf(format, args...))
	}
	sides := []struct {
		name        string
		heard, said []string
		err         error
		misses      bool // the fault is in the direction to this side
	}{{"client", d.nearHeard, answers(), d.nearErr, p.back}, {"server", d.farHeard, said, d.farErr, !p.back}}
	complete := true
	for _, s := range sides {
		if len(s.heard) > len(s.said) || !slices.Equal(s.heard, s.said[:len(s.heard)]) {
			report("the %s received %q", s.name, s.heard)
		}
		complete = complete && len(s.heard) == len(s.said) && s.err == nil
		if !slices.Contains(endings[p.fault], ending(s.err)) {
			report("the %s returned a %T: %v (%q)", s.name, s.err, s.err, ending(s.err))
		}
		if d.tls != 0 && s.misses && (s.err == io.EOF || s.err == nil && len(s.heard) < len(s.said)) {
			report("the %s takes the fault for the end of the stream, after %q", s.name, s.heard)
		}
		if exact && d.tls == 0 && s.misses && (p.fault == "cut" || p.fault == "stall") {
			if whole := p.whole(d, s.said); len(s.heard) != whole {
				report("the %s received %d messages, want %d", s.name, len(s.heard), whole)
			}
		}
	}
	if complete == (d.nearErr != nil || d.farErr != nil) || !p.hit && !complete {
		report("the client received %q, %v; the server %q, %v", d.nearHeard, d.nearErr, d.farHeard, d.farErr)
	}
}

// whole returns how many messages pass in one direction before the fault.
func (p *proxy) whole(d *dialog, messages []string) int {
	n, bytes := 0, 0
	for _, m := range messages {
		if bytes += len(d.encode(m)); bytes > p.at {
			break
		}
		n++
	}
	return n
}

// endings maps a fault to how either side may end.
var endings = map[string][]string{
	"":      {""},
	"split": {""},
	"cut":   {"", "end", "truncated", "reset"},
	"reset": {"", "reset", "truncated", "end"},
	"stall": {"", "end", "truncated", "reset", "late", "alert"},
}

// ending returns a word for err.
func ending(err error) string {
	_, dressed := err.(*net.OpError)
	_, alert := errors.AsType[tls.AlertError](err)
	switch {
	case err == nil:
		return ""
	case err == io.EOF:
		return "end"
	case err == io.ErrUnexpectedEOF || dressed && errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated"
	case dressed && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		return "reset"
	case dressed && errors.Is(err, os.ErrDeadlineExceeded):
		return "late"
	case dressed && alert:
		return "alert"
	}
	return "something else"
}

// everyFault calls fn for each kind of fault in each direction.
func everyFault(fn func(p proxy)) {
	for _, fault := range []string{"cut", "reset", "stall", "split"} {
		for _, back := range []bool{false, true} {
			fn(proxy{fault: fault, back: back, step: 5000})
		}
	}
}

// Wherever a proxy cuts, resets, stalls or splits a connection, nothing hangs and no byte is lost
// or invented. The errors say what has happened, and no task is left.
func TestFaultAtEveryByte(t *testing.T) {
	for _, f := range framings {
		stride := 1
		if raceEnabled && f.tls != 0 {
			stride = 37 // a sample: a handshake takes ten times as long with the race detector
		}
		everyFault(func(p proxy) {
			t.Run(fmt.Sprintf("%s %s %v", f.name, p.fault, p.back), func(t *testing.T) {
				sim.Test(t, func(ctx context.Context, t *testing.T) {
					w, d := world{"virtual", "tcp"}, newDialog(t, f)
					plain := proxy{step: 5000}
					plain.between(ctx, t, w, d)
					plain.check(t, d, true)
					total := plain.passed[0]
					if p.back {
						total = plain.passed[1]
					}
					tasks := len(task.Tasks(ctx))
					for at := 0; at <= total; at += stride {
						p := p
						p.at = at
						began := task.Now(ctx)
						p.between(ctx, t, w, d)
						p.check(t, d, true)
						if took := task.Now(ctx).Sub(began); took > 4*dialogTimeout {
							t.Errorf("%s, %v: the dialog took %v", f.name, p, took)
						}
						if left := len(task.Tasks(ctx)); left != tasks {
							t.Fatalf("%s, %v: %d tasks before, %d after", f.name, p, tasks, left)
						}
						if t.Failed() {
							return
						}
					}
				})
			})
		})
	}
}

// The same at some bytes of real connections. It does not stall, because a stall takes real time.
func TestFaultOfSockets(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "virtual" {
			return
		}
		before := descriptors()
		for _, f := range framings {
			everyFault(func(p proxy) {
				if p.fault == "stall" || p.fault == "split" {
					return
				}
				d := newDialog(t, f)
				for at := 0; at <= 40; at += 13 {
					p := p
					p.at = at
					p.between(ctx, t, w, d)
					p.check(t, d, false)
				}
			})
		}
		settle(ctx, t, before)
	})
}

// An exchange succeeds, whatever the pieces in which its bytes arrive.
func TestPieces(t *testing.T) {
	for _, f := range framings {
		for _, step := range []int{1, 2, 3, 5, 100, 1000} {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				d, p := newDialog(t, f), proxy{step: step}
				p.between(ctx, t, world{"virtual", "tcp"}, d)
				p.check(t, d, true)
			})
		}
	}
}
