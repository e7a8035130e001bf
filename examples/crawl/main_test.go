// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A crawl that has fetched no page is an error. It still prints the report.
func TestNoPageIsAnError(t *testing.T) {
	for name, test := range map[string]struct {
		root   string
		cfg    func(*config)
		report string
	}{
		"no host":     {root: "nowhere.example", report: "Finished 1 url in"},
		"no server":   {root: "127.0.0.1:1", report: "Finished 1 url in"},
		"no redirect": {cfg: func(c *config) { c.MaxRedirect = 0 }, report: "more than 0 redirects"},
		"excluded":    {cfg: func(c *config) { c.Exclude = regexp.MustCompile("") }, report: "Finished 0 urls in"},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var report strings.Builder
				cfg := defaults()
				cfg.Report = &report
				if test.cfg != nil {
					test.cfg(&cfg)
				}
				var roots []string
				if test.root != "" {
					roots = []string{test.root}
				}
				// The error does not mention the end of the demo site.
				if err := run(ctx, cfg, roots); !errors.Is(err, errNothing) || err.Error() != errNothing.Error() {
					t.Errorf("run = %v, want errNothing alone", err)
				}
				if !strings.Contains(report.String(), test.report) {
					t.Errorf("the report lacks %q:\n%s", test.report, &report)
				}
			})
		})
	}
}

// A crawl that is cancelled returns only the cancel, at whatever time the cancel comes. The end
// of the demo site adds no error.
func TestCancelReturnsTheCancel(t *testing.T) {
	for _, after := range []time.Duration{0, time.Nanosecond, slowTime / 2, 3 * slowTime} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			crawling := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, run(ctx, defaults(), nil)
			})
			if err := await.Sleep(ctx, after); err != nil {
				t.Fatal(err)
			}
			crawling.Cancel(nil)
			_, err := crawling.Await(ctx)
			if _, alone := err.(*task.Canceled); !alone {
				t.Errorf("run, cancelled after %v, = %v, want the cancel alone", after, err)
			}
		})
	}
}
