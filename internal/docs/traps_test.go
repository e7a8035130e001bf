// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/loop"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func schedule(ctx context.Context, update func(int), save func(ctx context.Context) error) {
	l := task.Loop(ctx)
	l.CallSoon(func() { update(7) })
	scope := task.ScopeOf(ctx)
	l.CallSoon(func() { scope.Go(save) }) // a callback must not switch: it starts a task
}

func TestSchedule(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		n, saved := 0, false
		err := task.Scope(ctx, func(ctx context.Context) error {
			schedule(ctx, func(v int) { n = v }, func(ctx context.Context) error {
				saved = true
				return nil
			})
			if n != 0 {
				t.Error("CallSoon has called")
			}
			return await.Sleep(ctx, time.Second)
		})
		if n != 7 || !saved || err != nil {
			t.Error(n, saved, err)
		}
	})
}

func checksum(ctx context.Context, data []byte, slowHash func([]byte) string) (string, error) {
	return await.Blocking(ctx, func(context.Context) (string, error) {
		return slowHash(data), nil
	})
}

func askFromOutside(portal *task.Portal, url string) (page string, err error) {
	err = portal.Do(func(ctx context.Context) error {
		page, err = fetch(ctx, url) // as a task of the loop
		return err
	})
	return page, err
}

func TestOutside(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sum, err := checksum(ctx, []byte("abc"), func(b []byte) string { return strings.ToUpper(string(b)) })
		if sum != "ABC" || err != nil {
			t.Error(sum, err)
		}
		portal := task.OpenPortal(ctx)
		defer portal.Close()
		page, err := await.Blocking(ctx, func(context.Context) (string, error) { return askFromOutside(portal, "a") })
		if page != "page a" || err != nil {
			t.Error(page, err)
		}
	})
}

func refresh(ctx context.Context, query func(ctx context.Context) (int, error)) (int, error) {
	if err := await.Sleep(ctx, time.Second); err != nil { // time.Sleep would stop the loop
		return 0, err
	}
	return await.Blocking(ctx, query) // which waits in a way of its own
}

func TestRefresh(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ticks := 0
		counting := task.Go(ctx, func(ctx context.Context) error {
			for ; ; ticks++ {
				if err := await.Sleep(ctx, 100*time.Millisecond); err != nil {
					return err
				}
			}
		})
		defer counting.Cancel(nil)
		rows, err := refresh(ctx, func(context.Context) (int, error) {
			<-time.After(time.Second)
			return 7, nil
		})
		if rows != 7 || err != nil || ticks < 18 {
			t.Errorf("refresh = %d, %v, and another task has run %d times", rows, err, ticks)
		}
	})
}

func visit(ctx context.Context, hosts map[string]int, see func(host string)) error {
	for _, host := range slices.Sorted(maps.Keys(hosts)) { // range over a map has no order
		pause := time.Duration(task.Loop(ctx).Rand().Int64N(int64(time.Second))) // not math/rand
		if err := await.Sleep(ctx, pause); err != nil {
			return err
		}
		see(host)
	}
	return nil
}

// Two runs with one seed are the same.
func TestVisit(t *testing.T) {
	var runs []string
	for range 2 {
		sim.Config{Seed: 7}.Test(t, func(ctx context.Context, t *testing.T) {
			began := task.Now(ctx)
			var seen strings.Builder
			err := visit(ctx, map[string]int{"a": 1, "b": 2, "c": 3}, func(host string) {
				seen.WriteString(host + " " + task.Now(ctx).Sub(began).String() + "\n")
			})
			if err != nil {
				t.Error(err)
			}
			runs = append(runs, seen.String())
		})
	}
	if runs[0] != runs[1] || strings.Count(runs[0], "\n") != 3 {
		t.Errorf("one run is\n%sand the other one\n%s", runs[0], runs[1])
	}
}

// An output is a stream to which several tasks write.
type output struct {
	mu locks.Mutex
	s  *netio.Stream
}

func (o *output) say(ctx context.Context, text string) error {
	if err := o.mu.Lock(ctx); err != nil {
		return err
	}
	defer o.mu.Unlock()
	_, err := o.s.Write(ctx, []byte(text))
	return err
}

func upper(ctx context.Context, s *netio.Stream) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for line, err := range s.Lines(ctx) {
			if !yield(strings.ToUpper(line), err) {
				return
			}
		}
	}
}

func TestOutput(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		task.Go(ctx, func(ctx context.Context) error {
			s, err := netio.Dial(ctx, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer s.Close()
			o := &output{s: s}
			long := strings.Repeat("x", 1<<20) + "\n"
			return task.Scope(ctx, func(ctx context.Context) error {
				for range 3 {
					task.Go(ctx, func(ctx context.Context) error { return o.say(ctx, long) })
				}
				if err := await.Sleep(ctx, time.Second); err != nil { // until one of them writes
					return err
				}
				if _, err := s.Write(ctx, []byte("y")); !errors.Is(err, netio.ErrBusy) {
					t.Errorf("a second Write = %v", err)
				}
				return nil
			})
		})
		s, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := await.Sleep(ctx, 2*time.Second); err != nil { // until all of them write or wait
			t.Fatal(err)
		}
		s.SetLineLimit(2 << 20)
		n := 0
		for line, err := range upper(ctx, s) {
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if line != strings.Repeat("X", 1<<20) {
				t.Error("a line is wrong")
			}
			n++
		}
		if n != 3 {
			t.Errorf("%d lines", n)
		}
	})
}

// A cache belongs to no loop until a task uses its lock.
type cache struct {
	lock  locks.Mutex
	pages map[string]string
}

func (c *cache) get(ctx context.Context, url string) (string, error) {
	if err := c.lock.Lock(ctx); err != nil {
		return "", err
	}
	defer c.lock.Unlock()
	if page, ok := c.pages[url]; ok {
		return page, nil
	}
	page, err := fetch(ctx, url)
	if err == nil {
		c.pages[url] = page
	}
	return page, err
}

// One cache serves two loops, one after the other.
func TestCache(t *testing.T) {
	c := &cache{pages: map[string]string{}}
	for range 2 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			if page, err := c.get(ctx, "a"); page != "page a" || err != nil {
				t.Error(page, err)
			}
		})
	}
}

// The exception handler gets what has no caller.
func TestExceptions(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		l := task.Loop(ctx)
		var got error
		l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { got = e.Err })
		l.CallSoon(func() { panic(errBroken) })
		if err := await.Sleep(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(got, errBroken) {
			t.Errorf("the handler gets %v", got)
		}
	})
}

// What a callback must not do, and what a timeout of zero is.
func TestSmallTraps(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		l := task.Loop(ctx)
		var got string
		l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { got = e.String() })
		l.CallSoon(func() { await.Sleep(ctx, time.Second) })
		if err := await.Sleep(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, "context of task 1") {
			t.Errorf("a callback with the ctx of a task: %q", got)
		}

		var done task.Future[int]
		done.Set(1)
		err := await.Timeout(ctx, 0, func(ctx context.Context) error {
			_, err := done.Await(ctx)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a timeout of zero: %v", err)
		}

		standard, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := await.Sleep(standard, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a timeout of the standard library: %v", err)
		}

		began := false
		unborn := task.StartErr(ctx, func(ctx context.Context) error {
			began = true
			return task.Check(ctx)
		})
		unborn.Cancel(nil)
		if _, err := unborn.Await(ctx); !began || !errors.Is(err, context.Canceled) {
			t.Errorf("a task that is cancelled before it begins: %v, %v", began, err)
		}

		rendezvous := locks.NewQueue[int](0)
		if rendezvous.TryPut(1) {
			t.Error("a queue of capacity 0 has room")
		}
	})
}
