// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"baton/await"
	"baton/task"
)

// A client is a library as TestFaults uses it.
type client struct {
	// call makes one call that reaches the server. The call must return soon after limit.
	call func(ctx context.Context, limit time.Duration) error
	// close closes the client.
	close func(ctx context.Context) error
}

// callers is the number of tasks of TestFaults that call a library at a time.
const callers = 4

// A fault is a function that disturbs a server. It returns when the server runs again.
type fault struct {
	name string
	do   func(ctx context.Context, s *server, c *calls) error
}

var faults = []fault{
	{"a stop, shorter than the limit of a call", func(ctx context.Context, s *server, c *calls) error {
		return stopped(ctx, s, func() error { return await.Sleep(ctx, c.moment(c.limit/2)) })
	}},
	{"a stop, until all calls have failed", func(ctx context.Context, s *server, c *calls) error {
		return stopped(ctx, s, func() error { return c.wait(ctx, 1, func(c *caller) int { return c.failed }) })
	}},
	{"a kill", func(ctx context.Context, s *server, c *calls) error {
		if err := on(ctx, func(context.Context) error { s.kill(); return nil }); err != nil {
			return err
		}
		if err := c.wait(ctx, 1, func(c *caller) int { return c.failed }); err != nil {
			return err
		}
		return on(ctx, func(context.Context) error { return s.start() })
	}},
}

// stopped stops a server while fn runs.
func stopped(ctx context.Context, s *server, fn func() error) error {
	if err := on(ctx, func(context.Context) error { s.pause(); return nil }); err != nil {
		return err
	}
	defer s.resume()
	return fn()
}

// The test stops and kills servers at random moments while tasks call them. Every call returns at
// about its limit. The calls succeed again after the server has resumed or restarted. At the end no
// descriptor and no process is left, and TestMain checks that no goroutine is left.
func TestFaults(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			s := c.launch(t)
			within(t, func(ctx context.Context) error {
				before := descriptors(t)
				client, err := c.connect(ctx, s.address)
				if err != nil {
					return err
				}
				calls, err := newCalls(ctx, client, random)
				if err != nil {
					return err
				}
				err = task.Scope(ctx, func(ctx context.Context) error {
					for n := range calls.all {
						task.Go(ctx, func(ctx context.Context) error { return calls.run(ctx, &calls.all[n]) })
					}
					defer func() { calls.over = true }()
					for _, n := range random.Perm(len(faults)) {
						if err := await.Sleep(ctx, calls.moment(20*time.Millisecond)); err != nil {
							return err
						}
						if err := calls.suffer(ctx, t, faults[n], s); err != nil {
							return err
						}
					}
					return nil
				})
				if err := errors.Join(err, client.close(ctx)); err != nil {
					return err
				}
				for descriptors(t) != before { // the loop closes connections some time after Close
					if err := await.Sleep(ctx, time.Millisecond); err != nil {
						return fmt.Errorf("%d descriptors are open, before the test %d: %w", descriptors(t), before, err)
					}
				}
				return nil
			})
		})
		if left := descendants(os.Getpid()); len(left) > 0 {
			t.Errorf("%s: the processes %v are left", c.name, left)
		}
	}
}

// calls are the calls of several tasks. The loop owns them.
type calls struct {
	client  client
	random  *rand.Rand
	limit   time.Duration // of a call
	longest time.Duration // call
	errs    map[string]int
	odd     []error // errors that no fault explains
	all     [callers]caller
	over    bool
}

// A caller counts the calls of a task.
type caller struct{ succeeded, failed int }

// newCalls makes a few calls without a fault. The limit depends on how long they take on this
// machine.
func newCalls(ctx context.Context, client client, random *rand.Rand) (*calls, error) {
	slowest := time.Duration(0)
	for range 3 {
		began := time.Now()
		if err := client.call(ctx, time.Minute); err != nil {
			return nil, err
		}
		slowest = max(slowest, time.Since(began))
	}
	limit := max(200*time.Millisecond, callers*slowest)
	return &calls{client: client, random: random, limit: limit, errs: make(map[string]int)}, nil
}

// moment returns a random time below most.
func (c *calls) moment(most time.Duration) time.Duration {
	return time.Duration(c.random.Int64N(int64(most)))
}

// run makes calls until over is set.
func (c *calls) run(ctx context.Context, who *caller) error {
	for !c.over {
		began := time.Now()
		err := c.client.call(ctx, c.limit)
		c.longest = max(c.longest, time.Since(began))
		if task.Check(ctx) != nil {
			return err
		}
		if err == nil {
			who.succeeded++
		} else {
			who.failed++
			c.errs[anonymous(err)]++
			if !timedOut(err) && !lost(err) {
				c.odd = append(c.odd, err)
			}
		}
		if err := await.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// suffer causes a fault, and returns when all callers succeed again.
func (c *calls) suffer(ctx context.Context, t *testing.T, f fault, s *server) error {
	c.longest, c.odd = 0, nil
	clear(c.errs)
	if err := f.do(ctx, s, c); err != nil {
		return err
	}
	began := time.Now()
	// The first success may be of a call that began before the fault.
	if err := c.wait(ctx, 2, func(c *caller) int { return c.succeeded }); err != nil {
		return fmt.Errorf("after %s: %w; the errors were %q", f.name, err, slices.Sorted(maps.Keys(c.errs)))
	}
	t.Logf("%s: the longest call took %v with a limit of %v; all succeeded again after %v; errors: %v", f.name,
		c.longest.Round(time.Millisecond), c.limit.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), c.errs)
	if most := c.limit + 10*time.Second; c.longest > most {
		t.Errorf("%s: a call took %v, want at most %v", f.name, c.longest, most)
	}
	for _, err := range c.odd {
		t.Errorf("%s: a call returned %T: %v", f.name, err, err)
	}
	return nil
}

// wait waits until a count of every caller has grown by n.
func (c *calls) wait(ctx context.Context, n int, count func(*caller) int) error {
	for i := range c.all {
		for want := count(&c.all[i]) + n; count(&c.all[i]) < want; {
			if err := await.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// timedOut reports whether err means that a call took longer than its limit.
func timedOut(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}

// lost reports whether err means that the connection or the server is gone, or that the server is
// still starting.
func lost(err error) bool {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed,
		syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.EPIPE} {
		if errors.Is(err, gone) {
			return true
		}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "57P") // the database shuts down or starts up
	}
	if _, ok := errors.AsType[*ssh.ExitMissingError](err); ok {
		return true
	}
	return status.Code(err) == codes.Unavailable || pgconn.SafeToRetry(err) ||
		strings.HasPrefix(err.Error(), "ssh: unexpected packet") || strings.HasPrefix(err.Error(), "LOADING")
}

var endpoint = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// anonymous is the text of err without ports.
func anonymous(err error) string { return endpoint.ReplaceAllString(err.Error(), "ADDRESS") }

// descriptors counts the open descriptors of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
