// SPDX-License-Identifier: Apache-2.0

package crawler_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"baton/await"
	"baton/examples/compare/crawler"
	"baton/examples/compare/crawler/tasks"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// schedules is how many schedules each simulated test tries.
const schedules = 50

// connecting is how long it takes to connect.
const connecting = time.Millisecond

// simulate runs fn in many worlds, each with another schedule. Each world has a site, with its
// root for fn.
func simulate(t *testing.T, fn func(ctx context.Context, t *testing.T, s *site, root string)) {
	world := sim.Config{Network: virtual.Config{
		Dial: func(net.Addr) (time.Duration, error) { return connecting, nil },
	}}
	for range schedules {
		world.Test(t, func(ctx context.Context, t *testing.T) {
			s := newSite(func(ctx context.Context, d time.Duration) { await.Sleep(ctx, d) })
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &httpio.Server{Handler: s}
			task.Go(ctx, func(ctx context.Context) error { server.Serve(ctx, ln); return nil })
			defer server.Close()
			fn(ctx, t, s, "http://"+ln.Addr().String())
		})
	}
}

// The report does not depend on the schedule.
func TestSimSite(t *testing.T) {
	simulate(t, func(ctx context.Context, t *testing.T, s *site, root string) {
		cfg := config(root)
		r, err := tasks.Crawl(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		checkReport(t, s, cfg, r)
	})
}

// For a cancel at any time, each page is either reported as fetched, with all its links, or
// pending. No task is left.
func TestSimCancel(t *testing.T) {
	at := time.Duration(0)
	simulate(t, func(ctx context.Context, t *testing.T, s *site, root string) {
		at += 200 * time.Microsecond
		cfg := config(root)
		var r *crawler.Report
		err := await.Timeout(ctx, at, func(ctx context.Context) (err error) {
			r, err = tasks.Crawl(ctx, cfg)
			return err
		})
		if err == nil {
			checkReport(t, s, cfg, r)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for _, p := range r.Pages {
			if p.Err != nil && errors.Is(p.Err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want it pending", p.URL, p.Err)
			}
		}
	})
}

// Each pause is twice as long as the pause before, and each try of a page that stalls has
// Timeout. The sum is exact, because time is virtual.
func TestSimPauses(t *testing.T) {
	for path, want := range map[string]time.Duration{
		"/cut":   3*connecting + (1+2)*time.Second,
		"/stall": 3*time.Minute + (1+2)*time.Second,
	} {
		simulate(t, func(ctx context.Context, t *testing.T, _ *site, root string) {
			cfg := config(root + path)
			cfg.Pause, cfg.Timeout = time.Second, time.Minute
			began := task.Now(ctx)
			r, err := tasks.Crawl(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if p := r.Pages[0]; p.Tries != 3 || p.Err == nil || task.Now(ctx).Sub(began) != want {
				t.Errorf("%s has %v after %d tries and %v, want an error after 3 and %v",
					path, p.Err, p.Tries, task.Now(ctx).Sub(began), want)
			}
		})
	}
}
