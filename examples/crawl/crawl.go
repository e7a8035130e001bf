// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"baton/locks"
	"baton/netio/httpio"
	"baton/task"
)

// A crawler finds and fetches pages. Its tasks share its fields, and there is
// not one lock: only one of them runs at a time, and it can lose its turn only
// in calls that take a ctx.
type crawler struct {
	config
	transport *httpio.Transport
	todo      *locks.Queue[*page]
	pages     map[string]*page // every page that was ever found, by its URL
	hosts     map[string]bool  // where the crawl stays

	busy, done, bytes int
	opened, reused    int // connections
	began, ended      time.Time
	cut               bool // the crawl was cancelled
	inProgress        bool // the progress line is being written
}

// A page is a URL on its way through the crawl.
type page struct {
	URL       *url.URL
	Redirects int // how many more may follow one another
	Tries     int // how often it was asked for
	Done      bool

	// What became of it: an error or a response, and what that brought.
	Err      error
	Status   int
	Type     string // the media type
	Encoding string // the charset
	Size     int
	Next     *url.URL // where it redirects to
	Links    int      // how many URLs of the crawl it has
	New      int      // how many of them nobody had seen before
}

// newCrawler returns a crawler that has nothing to do yet: addRoots gives it that,
// crawl does it.
func newCrawler(cfg config) *crawler {
	return &crawler{
		config: cfg,
		transport: &httpio.Transport{
			TLSClientConfig:     cfg.TLS,
			MaxIdleConnsPerHost: cfg.MaxTasks,
			MaxIdleConns:        cfg.MaxPool,
			DisableKeepAlives:   cfg.MaxPool == 0,
			DisableCompression:  true, // so that sizes are those of the site
		},
		todo:  locks.NewQueue[*page](locks.Unbounded),
		pages: map[string]*page{},
		hosts: map[string]bool{},
	}
}

// crawl fetches all pages that can be reached from the roots. It ends when
// there is nothing left to do, or when ctx is cancelled, and in either case not
// before all of its tasks have ended: what they did is then there to be reported.
//
// The queue counts: a page that is found is one more to do, and one that is
// visited one less, but only after what it leads to was added. So Join returns
// when all is done, and not when the queue is empty for a moment.
func (c *crawler) crawl(ctx context.Context) error {
	c.began = task.Now(ctx)
	defer c.transport.CloseIdleConnections() // after the scope: its tasks still give connections back
	err := task.Scope(ctx, func(ctx context.Context) error {
		for range c.MaxTasks {
			task.Go(ctx, c.work)
		}
		watcher := task.Go(ctx, c.watch)
		if err := c.todo.Join(ctx); err != nil {
			return err
		}
		watcher.Cancel(nil)    // it would go on for ever, and the scope waits for it
		c.todo.Shutdown(false) // the workers go home
		return nil
	})
	c.ended, c.cut = task.Now(ctx), err != nil
	return err
}

// work is one of the MaxTasks workers: it takes pages from the queue until that
// is shut down.
func (c *crawler) work(ctx context.Context) error {
	for p, err := range c.todo.All(ctx) {
		if err != nil {
			return err
		}
		c.busy++
		err = c.visit(ctx, p)
		c.busy--
		if err != nil {
			return err
		}
		c.todo.TaskDone()
	}
	return nil
}

// visit fetches a page and adds what it leads to. A page that cannot be had is
// a result and not an error: it must not end the crawl.
func (c *crawler) visit(ctx context.Context, p *page) error {
	c.log(2, "fetching %v", p.URL)
	res, err := c.fetch(ctx, p)
	// Between here and the end nothing switches, so no other task, and no report,
	// ever sees a page that is done by half.
	if cancelled := task.Check(ctx); cancelled != nil {
		return cancelled // it is the crawl that has ended, not this page
	}
	p.Done, p.Err = true, err
	c.done++
	if err != nil {
		c.log(2, "%v: %v", p.URL, err)
		return nil
	}
	c.digest(p, res)
	c.log(2, "%v: %d", p.URL, p.Status)
	return nil
}

// digest keeps what is to be known of a response, and queues the pages that it
// leads to. Nothing here switches.
func (c *crawler) digest(p *page, res *response) {
	p.Status, p.Size = res.Status, len(res.Body)
	p.Type, p.Encoding = res.media()
	c.bytes += p.Size

	if p.Next = res.location(p.URL); p.Next != nil {
		c.follow(p)
		return
	}
	if p.Status != 200 || p.Type != "text/html" {
		return
	}
	for _, u := range links(p.URL, res.Body) {
		if !c.wanted(u) {
			continue
		}
		p.Links++
		if c.add(u, c.MaxRedirect) {
			p.New++
		}
	}
}

// follow adds where a page redirects to, unless that is one redirect too many.
func (c *crawler) follow(p *page) {
	if p.Redirects == 0 {
		p.Err = fmt.Errorf("more than %d redirects, the next is %v", c.MaxRedirect, p.Next)
		return
	}
	p.Err = nil
	c.add(p.Next, p.Redirects-1)
}

// add queues a URL, unless it is known already or not wanted, and reports
// whether it did. To look a page up and to enter it are one step, since nothing
// in between can switch: no page is fetched twice.
//
// A page may be met at the end of many redirects first and in a link later. So
// that the order does not matter, it has the most redirects that anybody leaves
// it, also if it was fetched already and the chain has ended there. Then add and
// follow call each other along the chain, and come to an end: each round leaves
// one redirect less, and follow stops at none.
func (c *crawler) add(u *url.URL, redirects int) bool {
	if !c.wanted(u) {
		return false
	}
	key := u.String()
	if p := c.pages[key]; p != nil {
		if redirects > p.Redirects {
			p.Redirects = redirects
			if p.Next != nil {
				c.follow(p)
			}
		}
		return false
	}
	p := &page{URL: u, Redirects: redirects}
	c.pages[key] = p
	return c.todo.TryPut(p) // the queue has no bound
}
