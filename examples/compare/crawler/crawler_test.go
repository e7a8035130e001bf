// SPDX-License-Identifier: Apache-2.0

package crawler_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/examples/compare/crawler"
	"baton/examples/compare/crawler/goroutines"
	"baton/examples/compare/crawler/tasks"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crawlFunc is the type of the function that both implementations have.
type crawlFunc func(ctx context.Context, cfg crawler.Config) (*crawler.Report, error)

// both runs a test against each implementation.
func both(t *testing.T, test func(t *testing.T, crawl crawlFunc)) {
	t.Run("tasks", func(t *testing.T) {
		test(t, func(ctx context.Context, cfg crawler.Config) (r *crawler.Report, err error) {
			err = task.Run(ctx, func(ctx context.Context) error {
				r, err = tasks.Crawl(ctx, cfg)
				return err
			})
			return r, err
		})
	})
	t.Run("goroutines", func(t *testing.T) { test(t, goroutines.Crawl) })
}

// wait blocks a goroutine for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// serve serves a site until the end of the test, and returns its URL.
func serve(t *testing.T, s *site) string {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

// config returns a small configuration for a site.
func config(url string) crawler.Config {
	return crawler.Config{
		Roots:        []string{url},
		Exclude:      regexp.MustCompile(`/private/`),
		MaxTasks:     8,
		MaxRedirects: 5,
		Pause:        time.Microsecond,
	}
}

// checkReport fails the test if a report is not the report of the whole site.
func checkReport(t *testing.T, s *site, cfg crawler.Config, r *crawler.Report) {
	t.Helper()
	status, failed, tries := map[int]int{}, map[string]error{}, 0
	for i, p := range r.Pages {
		tries += p.Tries
		if i > 0 && r.Pages[i-1].URL >= p.URL {
			t.Errorf("%s comes after %s", p.URL, r.Pages[i-1].URL)
		}
		if p.Err != nil {
			failed[p.URL] = p.Err
		}
		status[p.Status]++
	}
	want := map[int]int{
		0:   1,             // cut
		200: sitePages + 1, // with style.css
		301: 1,             // the root
		302: 1,             // old
		307: 6,             // the maze: five redirects, and one too many
		404: 1,
		500: 1,
	}
	for code := range want {
		if status[code] != want[code] {
			t.Errorf("%d pages with status %d, want %d", status[code], code, want[code])
		}
	}
	if len(r.Pages) != sitePages+1+11 || r.Pending != 0 {
		t.Errorf("%d pages and %d pending, want %d and none", len(r.Pages), r.Pending, sitePages+1+11)
	}
	if len(failed) != 2 {
		t.Errorf("failed: %v, want cut and the end of the maze", failed)
	}
	requests := 0
	fetched, most := s.counts()
	if most > cfg.MaxTasks {
		t.Errorf("%d pages at the same time, want at most %d", most, cfg.MaxTasks)
	}
	for path, times := range fetched {
		requests += times
		if strings.HasPrefix(path, "/private/") {
			t.Errorf("%s was fetched", path)
		}
	}
	if wantTries := len(r.Pages) + 6 + 2; tries != wantTries || requests != wantTries {
		t.Errorf("%d tries and %d requests, want %d", tries, requests, wantTries)
	}
}

// A crawl fetches each page of a site once, and stays on the hosts of its roots. It follows a
// limited number of redirects, and repeats failed requests.
func TestSite(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		for _, maxTasks := range []int{1, 3, 50} {
			s := newSite(wait)
			cfg := config(serve(t, s))
			cfg.MaxTasks = maxTasks
			r, err := crawl(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			checkReport(t, s, cfg, r)
		}
	})
}

// The crawler fetches MaxTasks pages at the same time. A crawl that is cancelled returns at
// once. Its report has the pages that were fetched, and the number of the others.
func TestParallelAndCancelled(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		arrived := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Content-Type", "text/html")
				w.Write([]byte(strings.Repeat(`<a href="/same">`, 3)))
				for _, n := range "0123456789" {
					w.Write([]byte(`<a href="/hold/` + string(n) + `">`))
				}
				return
			}
			arrived <- struct{}{}
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		go func() {
			for range 8 {
				<-arrived
			}
			cancel()
		}()
		r, err := crawl(ctx, config(server.URL))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("crawl = %v, want canceled", err)
		}
		if len(r.Pages) != 1 || r.Pending != 11 {
			t.Errorf("%d pages and %d pending, want the root and 11", len(r.Pages), r.Pending)
		}
	})
}

// A cancel ends the pause between two tries.
func TestCancelPause(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			cut(w)
		}))
		t.Cleanup(server.Close)
		cfg := config(server.URL)
		cfg.Pause, cfg.Interval = time.Hour, time.Millisecond
		ticks := 0
		cfg.Progress = func(crawler.Progress) {
			if requests.Load() > 0 {
				ticks++
			}
			if ticks == 10 { // so that the crawl has time for a wrong request
				cancel()
			}
		}
		r, err := crawl(ctx, cfg)
		if !errors.Is(err, context.Canceled) || len(r.Pages) != 0 || r.Pending != 1 {
			t.Errorf("crawl = %v, %d pages, %d pending; want canceled, none and one", err, len(r.Pages), r.Pending)
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests, want one", n)
		}
	})
}

// The crawler reads MaxBody bytes of a page that is too long.
func TestLongBody(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 2*crawler.MaxBody))
		}))
		t.Cleanup(server.Close)
		r, err := crawl(t.Context(), config(server.URL))
		if err != nil || len(r.Pages) != 1 || r.Pages[0].Size != crawler.MaxBody {
			t.Errorf("crawl = %v, %v, want one page with %d bytes", r, err, crawler.MaxBody)
		}
	})
}

// The crawler gives up a page that stalls after Timeout.
func TestTimeout(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		cfg := config(serve(t, newSite(wait)) + "/stall")
		cfg.Timeout, cfg.MaxTries = time.Millisecond, 2
		r, err := crawl(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if p := r.Pages[0]; !errors.Is(p.Err, context.DeadlineExceeded) || p.Tries != 2 {
			t.Errorf("%v after %d tries, want deadline exceeded after 2", p.Err, p.Tries)
		}
	})
}

// Progress shows how the crawl grows.
func TestProgress(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		ticks := 0
		var last crawler.Progress
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			switch r.URL.Path {
			case "/":
				w.Write([]byte(`<a href="/stall">`))
			default:
				<-r.Context().Done()
			}
		}))
		t.Cleanup(server.Close)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg := config(server.URL)
		cfg.Interval = time.Millisecond
		cfg.Progress = func(p crawler.Progress) {
			if p.Found < last.Found || p.Done < last.Done {
				t.Errorf("progress %v after %v", p, last)
			}
			ticks++
			if last = p; last.Done == 1 {
				cancel()
			}
		}
		if _, err := crawl(ctx, cfg); !errors.Is(err, context.Canceled) {
			t.Errorf("crawl = %v, want canceled", err)
		}
		if last != (crawler.Progress{Found: 2, Done: 1}) {
			t.Errorf("after %d ticks the progress is %+v, want 2 found and 1 done", ticks, last)
		}
	})
}

// A root that is not a URL is an error. The report of a root at a closed port has the error.
func TestRoots(t *testing.T) {
	both(t, func(t *testing.T, crawl crawlFunc) {
		for _, root := range []string{"", "example.com", "ftp://example.com/", "http://%", "http:///path"} {
			if r, err := crawl(t.Context(), config(root)); r != nil || err == nil {
				t.Errorf("a crawl of %q = %v, %v, want an error", root, r, err)
			}
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		r, err := crawl(t.Context(), config("http://"+ln.Addr().String()))
		if err != nil || len(r.Pages) != 1 || r.Pages[0].Tries != 3 || r.Pages[0].Err == nil {
			t.Errorf("a crawl of a closed port = %v, %v, want one page with an error after 3 tries", r, err)
		}
		if r, err := crawl(t.Context(), crawler.Config{}); err != nil || len(r.Pages) != 0 {
			t.Errorf("a crawl of nothing = %v, %v, want nothing", r, err)
		}
	})
}
