// SPDX-License-Identifier: Apache-2.0

// Crawl fetches all pages of web sites, many at a time, and reports what it
// found. It shows tasks over real sockets: a queue and its workers, a pool of
// connections, timeouts, retries, and a server on the same loop.
//
//	go run ./examples/crawl                       # crawls a demo site of its own
//	go run ./examples/crawl -v                    # one line for every URL
//	go run ./examples/crawl http://localhost:8080 # crawls that site
//
// Where to begin reading: crawl in crawl.go is the whole plan, fetch in fetch.go
// is one page. Ctrl-C ends the crawl early, with the report of what is done.
//
// The program is Tulip's examples/crawl.py, told anew.
package main

import (
	"context"
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

// Times that a fetch may take: real sites are given more than the demo site,
// where whatever takes so long is the page that stalls.
const (
	fetchTime = 30 * time.Second
	demoTime  = time.Second
)

func main() {
	cfg, roots := parse()
	task.Main(func(ctx context.Context) error {
		return run(ctx, cfg, roots)
	})
}

// parse reads the command line, and ends the program if that makes no sense.
func parse() (config, []string) {
	cfg := config{Log: os.Stderr, Report: os.Stdout}
	flag.IntVar(&cfg.MaxRedirect, "max_redirect", 10, "follow at most so many redirects in a row")
	flag.IntVar(&cfg.MaxTries, "max_tries", 4, "try a page so often while connections break")
	flag.IntVar(&cfg.MaxTasks, "max_tasks", 100, "fetch so many pages at a time")
	flag.IntVar(&cfg.MaxPool, "max_pool", 100, "keep so many idle connections")
	flag.DurationVar(&cfg.Timeout, "timeout", 0, "give a page up after this time (default 30s, and 1s for the demo site)")
	flag.BoolFunc("strict", "stay on the hosts of the URLs given (default)", set(&cfg.Lenient, false))
	flag.BoolFunc("lenient", "stay in the domains of the URLs given", set(&cfg.Lenient, true))
	flag.BoolFunc("v", "say more: every URL; twice: every fetch; three times: connections", func(string) error {
		cfg.Level++
		return nil
	})
	flag.BoolFunc("q", "say less: no progress, no errors", func(string) error {
		cfg.Level--
		return nil
	})
	flag.Func("exclude", "skip URLs that match this `regexp`", func(s string) (err error) {
		cfg.Exclude, err = regexp.Compile(s)
		return err
	})
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: crawl [flags] [URL...]")
		flag.PrintDefaults()
	}
	flag.Parse()

	err := cfg.check()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crawl:", err)
		os.Exit(2)
	}
	return cfg, flag.Args()
}

// set is a flag without a value that gives p the value v.
func set(p *bool, v bool) func(string) error {
	return func(string) error {
		*p = v
		return nil
	}
}

// check says what is wrong with the numbers.
func (cfg config) check() error {
	switch {
	case cfg.MaxTasks < 1:
		return errors.New("-max_tasks must be at least 1")
	case cfg.MaxTries < 1:
		return errors.New("-max_tries must be at least 1")
	case cfg.MaxRedirect < 0 || cfg.MaxPool < 0 || cfg.Timeout < 0:
		return errors.New("-max_redirect, -max_pool and -timeout must not be negative")
	}
	return nil
}

// run crawls roots, or the demo site if there are none, and prints the report,
// of a crawl that was cancelled too.
func run(ctx context.Context, cfg config, roots []string) error {
	if len(roots) > 0 {
		return crawl(ctx, cfg, roots)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = demoTime
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		// The site needs no grace: when the crawl has ended, nobody listens.
		server := netio.Server{Grace: -1}
		task.Go(ctx, func(ctx context.Context) error {
			return server.ServeListener(ctx, ln, newSite().serve)
		})
		defer server.Close()
		return crawl(ctx, cfg, []string{fmt.Sprintf("http://%v/", ln.Addr())})
	})
}

// crawl crawls roots and prints what became of their pages.
func crawl(ctx context.Context, cfg config, roots []string) error {
	if cfg.Timeout == 0 {
		cfg.Timeout = fetchTime
	}
	c := newCrawler(cfg)
	if err := c.addRoots(roots); err != nil {
		return err
	}
	err := c.crawl(ctx)
	c.report(cfg.Report)
	return err
}

// config is what the command line chooses.
type config struct {
	MaxRedirect int
	MaxTries    int
	MaxTasks    int
	MaxPool     int
	Timeout     time.Duration  // of one page, with all tries
	Exclude     *regexp.Regexp // nil excludes nothing
	Lenient     bool           // see crawler.domain
	Level       int            // how much to say: 0 is progress and errors

	Log    io.Writer // progress and what goes on
	Report io.Writer
}
