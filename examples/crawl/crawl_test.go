// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// defaults is the configuration without flags, and without output.
func defaults() config {
	return config{
		MaxRedirect: 10, MaxTries: 4, MaxTasks: 100, MaxPool: 100, Timeout: demoTime,
		Log: io.Discard, Report: io.Discard,
	}
}

// crawlSite crawls the demo site and returns the crawler.
func crawlSite(ctx context.Context, t *testing.T, cfg config) *crawler {
	t.Helper()
	return crawlServer(ctx, t, cfg, &netio.Server{}, "127.0.0.1:8080")
}

// crawlServer crawls the demo site from root, and serves the site with server.
func crawlServer(ctx context.Context, t *testing.T, cfg config, server *netio.Server, root string) *crawler {
	t.Helper()
	c := newCrawler(cfg)
	err := task.Scope(ctx, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:8080")
		if err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error {
			return server.ServeListener(ctx, ln, newSite().serve)
		})
		defer server.Close()
		if err := c.addRoots([]string{root}); err != nil {
			return err
		}
		return c.crawl(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// siteTotals returns the totals of the demo site. They are the same for every schedule.
func siteTotals() map[string]int {
	html := len(goodbye)
	for n := range sitePages {
		html += len(text(n))
	}
	missing := sitePages / missingEvery
	return map[string]int{
		"html":        sitePages + 1, // with the page "goodbye"
		"html_bytes":  html,
		"other":       1,
		"other_bytes": len(style),
		"redirect":    1 + sitePages/oldEvery + 10, // the root, the moved pages, the maze
		"fail":        3,                           // the maze, the stall, the port without a server
		"error":       missing + 1,
		"error_bytes": missing*len(notFound) + len(crash),
		"status_404":  missing,
		"status_500":  1,
		"retries":     sitePages/cutEvery + 3, // and the port without a server
	}
}

func TestDemoSite(t *testing.T) {
	for name, cfg := range map[string]func(*config){
		"defaults":    func(*config) {},
		"one task":    func(c *config) { c.MaxTasks = 1 },
		"no pool":     func(c *config) { c.MaxPool = 0 },
		"three tasks": func(c *config) { c.MaxTasks, c.MaxPool = 3, 2 },
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				c := defaults()
				cfg(&c)
				done := crawlSite(ctx, t, c)
				got := done.totals()
				opened, reused := got["connections"], got["reused"]
				delete(got, "connections")
				delete(got, "reused")
				if want := siteTotals(); !maps.Equal(got, want) {
					t.Errorf("totals = %v\nwant %v", got, want)
				}
				// Every try has a connection, except the tries of the closed port.
				if tries := len(done.pages) + got["retries"] - 4; opened+reused != tries {
					t.Errorf("%d connections opened and %d reused, want %d together", opened, reused, tries)
				}
				if (c.MaxPool == 0) != (reused == 0) {
					t.Errorf("%d connections reused with a pool of %d", reused, c.MaxPool)
				}
			})
		})
	}
}

// The crawler fetches as many pages at a time as it has tasks.
func TestTasksFetchInParallel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		cfg := defaults()
		cfg.Level, cfg.MaxTasks = 2, 7
		busy, most := 0, 0
		cfg.Log = logTo(func(line string) {
			if strings.HasPrefix(line, "fetching ") {
				busy++
			} else if !strings.Contains(line, ": try ") {
				busy--
			}
			most = max(most, busy)
		})
		crawlSite(ctx, t, cfg)
		if busy != 0 || most != 7 {
			t.Errorf("at most %d fetches at a time and %d in the end, want 7 and 0", most, busy)
		}
	})
}

// logTo calls a function for every write.
type logTo func(line string)

func (f logTo) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// Two crawls with the same seed have the same report, the same order of events, and take the
// same time.
func TestSameSeedSameCrawl(t *testing.T) {
	var reports [2]bytes.Buffer
	for i := range reports {
		sim.Config{Seed: 7}.Test(t, func(ctx context.Context, t *testing.T) {
			cfg := defaults()
			cfg.Level, cfg.Log, cfg.Report = 3, &reports[i], &reports[i]
			if err := run(ctx, cfg, nil); err != nil {
				t.Error(err)
			}
		})
	}
	if !bytes.Equal(reports[0].Bytes(), reports[1].Bytes()) {
		t.Error("two crawls with one seed differ")
	}
	if !strings.Contains(reports[0].String(), "\nFinished 552 urls in 1.") {
		t.Errorf("the report does not say that it finished:\n%s", reports[0].String())
	}
}

// A crawl that is cancelled reports the pages that are done, and that the others are pending.
func TestReportAfterCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var report, progress bytes.Buffer
		cfg := defaults()
		cfg.Report, cfg.Log, cfg.Progress = &report, &progress, true
		err := await.Timeout(ctx, 900*time.Millisecond, func(ctx context.Context) error {
			return run(ctx, cfg, nil)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("run = %v, want deadline exceeded", err)
		}
		for _, want := range []string{"Interrupted: 551 urls in 0.90 secs (max_tasks=100)\n", "     pending         1\n"} {
			if !strings.Contains(report.String(), want) {
				t.Errorf("the report lacks %q:\n%s", want, report.String())
			}
		}
		if n := strings.Count(progress.String(), "\r"); n != 19 {
			t.Errorf("%d lines of progress in 900 ms, want one each 50 ms and one at the end", n)
		}
	})
}

// The crawler does not follow links and redirects to other hosts, and does not count such
// links.
func TestStaysOnTheHosts(t *testing.T) {
	c := newCrawler(defaults())
	if err := c.addRoots([]string{"http://example.com"}); err != nil {
		t.Fatal(err)
	}
	root := c.pages["http://example.com/"]
	c.digest(root, &response{
		Status: 200,
		Header: map[string][]string{"Content-Type": {"text/html"}},
		Body:   []byte(`<a href=/>, <a href=/next>, <a href=http://elsewhere.example/>, <a href=mailto:me@example.com>`),
	})
	if root.New != 1 || root.Links != 2 {
		t.Errorf("%d/%d new links, want 1/2", root.New, root.Links)
	}
	next := c.pages["http://example.com/next"]
	c.digest(next, &response{Status: 302, Header: map[string][]string{"Location": {"http://elsewhere.example/"}}})
	if next.Err != nil || len(c.pages) != 2 {
		t.Errorf("a redirect out of the crawl: error %v, and %d pages instead of 2", next.Err, len(c.pages))
	}
}

// The crawler follows a page that is found both in a link and at the end of too many redirects,
// in either order.
func TestRedirectOrder(t *testing.T) {
	answers := map[string]response{
		"/":  {Status: 200, Body: []byte("<a href=/a>, <a href=/z>")},
		"/a": {Status: 302, Header: map[string][]string{"Location": {"/b"}}},
		"/b": {Status: 302, Header: map[string][]string{"Location": {"/c"}}},
		"/c": {Status: 200},
		"/z": {Status: 200, Body: []byte("<a href=/b>")},
	}
	for _, order := range []string{"/ /z /a /b /c", "/ /a /z /b /c", "/ /a /b /z /c"} {
		cfg := defaults()
		cfg.MaxRedirect = 1
		c := newCrawler(cfg)
		if err := c.addRoots([]string{"http://example.com"}); err != nil {
			t.Fatal(err)
		}
		for _, path := range strings.Fields(order) {
			p, answer := c.pages["http://example.com"+path], answers[path]
			if p == nil {
				t.Fatalf("in the order %s, %s is not found", order, path)
			}
			if answer.Header == nil {
				answer.Header = map[string][]string{"Content-Type": {"text/html"}}
			}
			p.Done = true
			c.digest(p, &answer)
		}
		if got := c.totals(); got["html"] != 3 || got["redirect"] != 2 || got["fail"] != 0 {
			t.Errorf("in the order %s the totals are %v, want 3 html and 2 redirects", order, got)
		}
	}
}

// Each pause between tries is twice as long as the pause before.
func TestBackoff(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		c := newCrawler(defaults())
		if err := c.addRoots([]string{"http://127.0.0.1:1/"}); err != nil {
			t.Fatal(err)
		}
		if err := c.crawl(ctx); err != nil {
			t.Fatal(err)
		}
		if took := c.ended.Sub(c.began); took != (1+2+4)*pause {
			t.Errorf("four tries took %v, want %v", took, (1+2+4)*pause)
		}
	})
}

// A page that takes too long fails with errTimeout and the time that it had, also if it has not
// connected, and if the try is its last.
func TestPageTimeout(t *testing.T) {
	silent := sim.Config{Network: virtual.Config{
		Dial: func(net.Addr) (time.Duration, error) { return -1, nil },
	}}
	silent.Test(t, func(ctx context.Context, t *testing.T) {
		cfg := defaults()
		cfg.MaxTries = 1
		c := newCrawler(cfg)
		if err := c.addRoots([]string{"http://10.0.0.1/"}); err != nil {
			t.Fatal(err)
		}
		if err := c.crawl(ctx); err != nil {
			t.Fatal(err)
		}
		p := c.pages["http://10.0.0.1/"]
		if took := c.ended.Sub(c.began); !errors.Is(p.Err, errTimeout) || p.Tries != 1 || took != time.Second {
			t.Errorf("%v in try %d after %v, want errTimeout in the first after 1 s", p.Err, p.Tries, took)
		}
		if want := "http://10.0.0.1/ error given up after 1s (try 1)"; p.String() != want {
			t.Errorf("the report says %q, want %q", p, want)
		}
	})
}

// The crawler does not repeat a request that would fail again.
func TestPermanentErrors(t *testing.T) {
	for root, tries := range map[string]int{
		"http://127.0.0.1:99999/": 1, // no port
		"http://nowhere.example/": 1, // no such host
		"http://127.0.0.1:1/":     4, // no server listens there yet
	} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			c := newCrawler(defaults())
			if err := c.addRoots([]string{root}); err != nil {
				t.Fatal(err)
			}
			if err := c.crawl(ctx); err != nil {
				t.Fatal(err)
			}
			if p := c.pages[root]; p.Err == nil || p.Tries != tries {
				t.Errorf("%s: %v after %d tries, want %d", root, p.Err, p.Tries, tries)
			}
		})
	}
}

// The demo site over TLS has the same totals as without, if its certificate is trusted.
// Otherwise its root fails at the first try.
func TestHTTPS(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			var cert bytes.Buffer
			config, err := selfsigned.Server(&cert, "")
			if err != nil {
				t.Fatal(err)
			}
			cfg := defaults()
			cfg.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
			if trusted {
				cfg.TLS.RootCAs.AppendCertsFromPEM(cert.Bytes())
			}
			server := &netio.Server{TLS: config, OnError: func(*netio.Stream, error) {}}
			c := crawlServer(ctx, t, cfg, server, "https://127.0.0.1:8080/")
			if !trusted {
				p := c.pages["https://127.0.0.1:8080/"]
				if _, refused := errors.AsType[*tls.CertificateVerificationError](p.Err); !refused || p.Tries != 1 {
					t.Errorf("without the certificate: %v after %d tries", p.Err, p.Tries)
				}
				return
			}
			got := c.totals()
			if got["connections"] == 0 || got["reused"] == 0 {
				t.Errorf("%d connections opened and %d reused", got["connections"], got["reused"])
			}
			delete(got, "connections")
			delete(got, "reused")
			if want := siteTotals(); !maps.Equal(got, want) {
				t.Errorf("totals = %v\nwant %v", got, want)
			}
		})
	}
}
