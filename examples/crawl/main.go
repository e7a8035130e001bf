// SPDX-License-Identifier: Apache-2.0

// Crawl fetches all pages of web sites, many at a time, and reports what it has found. It
// shows tasks over real sockets: a queue and its workers, an HTTP client with a pool of
// connections, timeouts, retries, and a server on the same loop.
//
//	go run ./examples/crawl                       # crawls its own demo site
//	go run ./examples/crawl -v                    # reports every URL, not only failures
//	go run ./examples/crawl http://localhost:8080 # crawls that site
//	go run ./examples/crawl --cafile cert.pem https://localhost:8443
//
// Ctrl-C ends the crawl early, with a report of the pages that are done.
//
// Start reading with crawl in crawl.go, which is the whole plan, and process, which is what a
// worker does with one page. Below process are three layers: fetch (the timeout), try (the
// retries) and get (one request). The rest is httpio.Transport.
//
// The program is a new version of Tulip's examples/crawl.py.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"baton/netio"
	"baton/task"
)

func main() {
	cfg, roots, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	cfg.Log, cfg.Report = os.Stderr, os.Stdout
	cfg.Progress = terminal(os.Stderr)
	task.Main(func(ctx context.Context) error {
		return run(ctx, cfg, roots)
	})
}

// run crawls roots, or the demo site if there are none. It prints the report, also if the crawl
// was cancelled.
func run(ctx context.Context, cfg config, roots []string) error {
	if len(roots) > 0 {
		return crawl(ctx, cfg, roots)
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		var server netio.Server
		task.Go(ctx, func(ctx context.Context) error {
			// The site ends after the crawl, also if the crawl is cancelled, so that it does
			// not interrupt requests of the crawl.
			ctx, release := task.Shield(ctx, 0)
			defer release()
			return server.ServeListener(ctx, ln, newSite().serve)
		})
		defer server.Close()
		return crawl(ctx, cfg, []string{fmt.Sprintf("http://%v/", ln.Addr())})
	})
}

// crawl crawls roots and prints the report.
func crawl(ctx context.Context, cfg config, roots []string) error {
	c := newCrawler(cfg)
	task.Loop(ctx).SetExceptionHandler(c.exception)
	if err := c.addRoots(roots); err != nil {
		return err
	}
	err := c.crawl(ctx)
	c.report(cfg.Report)
	if totals := c.totals(); err == nil && totals["html"]+totals["other"] == 0 {
		err = errNothing
	}
	return err
}

// errNothing is the error of a crawl that has fetched no page.
var errNothing = errors.New("crawl: no page could be fetched")

// config is the configuration from the command line.
type config struct {
	MaxRedirect int
	MaxTries    int
	MaxTasks    int
	MaxPool     int
	Timeout     time.Duration  // for one page with all tries
	Exclude     *regexp.Regexp // nil excludes nothing
	Lenient     bool           // see crawler.domain
	TLS         *tls.Config    // for https; nil trusts what the system trusts
	Level       int            // how much to print: 0 is progress and errors

	Log      io.Writer // for progress and events
	Progress bool      // Log is a terminal, which can overwrite a line
	Report   io.Writer
}
