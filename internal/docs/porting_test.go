// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// The functions of this file, cancels_test.go and traps_test.go stand in docs/porting.md.
// The tests check what the document says of them.

// fetch gets a page after a second. The page of "broken" cannot be had.
func fetch(ctx context.Context, url string) (string, error) {
	if err := await.Sleep(ctx, time.Second); err != nil {
		return "", err
	}
	if url == "broken" {
		return "", errBroken
	}
	return "page " + url, nil
}

var errBroken = errors.New("broken")

func total(ctx context.Context, urls []string) (int, error) {
	sum := 0
	for _, url := range urls {
		page, err := fetch(ctx, url) // takes a ctx: other tasks may run here
		if err != nil {
			return 0, err
		}
		sum += len(page) // takes none: no other task runs
	}
	return sum, nil
}

func TestTotal(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		if sum, err := total(ctx, []string{"a", "b"}); sum != 12 || err != nil {
			t.Errorf("total = %d, %v", sum, err)
		}
		if _, err := total(ctx, []string{"a", "broken"}); err != errBroken {
			t.Errorf("total = %v", err)
		}
	})
}

func sizes(ctx context.Context, urls []string) (map[string]int, error) {
	found := map[string]int{}
	err := task.Scope(ctx, func(ctx context.Context) error {
		for _, url := range urls {
			task.Go(ctx, func(ctx context.Context) error {
				page, err := fetch(ctx, url) // with the ctx of this task
				found[url] = len(page)       // needs no lock
				return err
			})
		}
		return nil
	})
	return found, err
}

func TestSizes(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		found, err := sizes(ctx, []string{"a", "bb", "ccc"})
		if len(found) != 3 || found["ccc"] != 8 || err != nil {
			t.Errorf("sizes = %v, %v", found, err)
		}
		if took := task.Now(ctx).Sub(began); took != time.Second {
			t.Errorf("sizes takes %v", took)
		}
	})
}

// The ctx of another task is misuse.
func TestWrongContext(t *testing.T) {
	sim.Test(t, func(outer context.Context, t *testing.T) {
		task.StartErr(outer, func(ctx context.Context) error {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, "context of task 1") {
					t.Errorf("the panic is %q", p)
				}
			}()
			return await.Sleep(outer, time.Second)
		})
	})
}

func greet(ctx context.Context, host string) (string, error) {
	s, err := netio.Dial(ctx, "tcp", net.JoinHostPort(host, "7000"))
	if err != nil {
		return "", err
	}
	defer s.Close()
	if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
		return "", err
	}
	line, err := s.ReadLine(ctx)
	if errors.Is(err, syscall.ECONNRESET) {
		return "", nil
	}
	return line, err
}

func TestGreet(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		if _, err := greet(ctx, "localhost"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("without a server greet = %v", err)
		}
		var answer string // "" resets the connection
		server := task.StartErr(ctx, func(ctx context.Context) error {
			return netio.Serve(ctx, "tcp", "localhost:7000", func(ctx context.Context, s *netio.Stream) error {
				if _, err := s.ReadLine(ctx); err != nil {
					return err
				}
				if answer == "" {
					return s.Abort()
				}
				_, err := s.Write(ctx, []byte(answer))
				return err
			})
		})
		if err := await.Sleep(ctx, time.Second); err != nil { // until it listens
			t.Fatal(err)
		}
		for _, c := range []struct {
			answer, want string
			err          error
		}{{"hi\n", "hi", nil}, {"", "", nil}, {"hi", "hi", io.ErrUnexpectedEOF}} {
			answer = c.answer
			if got, err := greet(ctx, "localhost"); got != c.want || err != c.err {
				t.Errorf("greet = %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		}
		server.Cancel(nil)
		if _, err := server.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func tick(ctx context.Context, report func(ctx context.Context) error) error {
	task.Go(ctx, report)                 // its scope keeps it, and gets its error
	return await.Sleep(ctx, time.Second) // with a cancel, if there is one
}

func TestTick(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		err := task.Scope(ctx, func(ctx context.Context) error {
			return tick(ctx, func(ctx context.Context) error { return await.Sleep(ctx, time.Minute) })
		})
		if took := task.Now(ctx).Sub(began); took != time.Minute || err != nil {
			t.Errorf("tick and its report take %v, %v", took, err)
		}
		err = task.Scope(ctx, func(ctx context.Context) error {
			return tick(ctx, func(context.Context) error { return errBroken })
		})
		if err != errBroken {
			t.Errorf("with a report that fails: %v", err)
		}
	})
}

func compare(ctx context.Context) (bool, error) {
	pages, err := await.Map(ctx, []string{"a", "b"}, fetch)
	if err != nil {
		return false, err
	}
	return pages[0] == pages[1], nil
}

func compareTasks(ctx context.Context) (bool, error) {
	a := task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, "a") })
	b := task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, "b") })
	pages, err := await.All(ctx, a, b)
	if err != nil {
		return false, err // the other task goes on, and the scope of ctx waits for it
	}
	return pages[0] == pages[1], nil
}

func TestCompare(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for _, f := range []func(ctx context.Context) (bool, error){compare, compareTasks} {
			began := task.Now(ctx)
			if same, err := f(ctx); same || err != nil {
				t.Error(same, err)
			}
			if took := task.Now(ctx).Sub(began); took != time.Second {
				t.Errorf("it takes %v", took)
			}
		}
	})
}

// Map cancels the others at the first failure, All does not. The error of a task that was
// not awaited is the scope's.
func TestFailures(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		slow := func(result *error) func(ctx context.Context, url string) (string, error) {
			return func(ctx context.Context, url string) (string, error) {
				if url == "slow" {
					*result = await.Sleep(ctx, time.Minute)
					return url, *result
				}
				return fetch(ctx, url)
			}
		}
		var result error
		_, err := await.Map(ctx, []string{"slow", "broken"}, slow(&result))
		if err != errBroken || !errors.Is(result, context.Canceled) {
			t.Errorf("Map = %v, and the other call ends with %v", err, result)
		}
		err = task.Scope(ctx, func(ctx context.Context) error {
			a := task.Start(ctx, func(ctx context.Context) (string, error) { return slow(&result)(ctx, "slow") })
			b := task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, "broken") })
			if _, err := await.All(ctx, a, b); err != errBroken || a.Done() {
				t.Errorf("All = %v, and the other task has ended: %v", err, a.Done())
			}
			return nil
		})
		if err != nil || result != nil {
			t.Errorf("Scope = %v, and the other task ends with %v", err, result)
		}
		err = task.Scope(ctx, func(ctx context.Context) error {
			task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, "broken") })
			return nil
		})
		if err != errBroken {
			t.Errorf("Scope = %v", err)
		}
	})
}

func results(ctx context.Context, urls []string) ([]string, error) {
	var tasks []*task.Task[string]
	for _, url := range urls {
		tasks = append(tasks, task.Start(ctx, func(ctx context.Context) (string, error) { return fetch(ctx, url) }))
	}
	var pages []string
	for t, err := range await.Each(ctx, tasks...) { // in the order of their ends
		if err != nil {
			return nil, err // ctx was cancelled
		}
		page, err := t.Result()
		if err != nil {
			page = err.Error()
		}
		pages = append(pages, page)
	}
	return pages, nil
}

func TestResults(t *testing.T) {
	sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
		pages, err := results(ctx, []string{"broken", "a"})
		if err != nil || strings.Join(pages, ", ") != "broken, page a" {
			t.Errorf("results = %q, %v", pages, err)
		}
	})
}

func heartbeat(ctx context.Context) error {
	for {
		log.Print("alive")
		if err := await.Sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
}

func program(ctx context.Context) error {
	alive := task.Go(ctx, heartbeat)
	defer alive.Cancel(nil) // without this, Run would wait for heartbeat
	_, err := total(ctx, []string{"a", "b"})
	return err
}

func TestBackground(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		began := task.Now(ctx)
		err := task.Scope(ctx, program)
		if took := task.Now(ctx).Sub(began); took != 2*time.Second || err != nil {
			t.Errorf("program takes %v, %v", took, err)
		}
	})
}
