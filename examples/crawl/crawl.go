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

// A crawler finds and fetches pages. Its tasks share its fields without a lock, because one
// task runs at a time and switches only in calls that take a ctx.
type crawler struct {
	config
	transport *httpio.Transport
	todo      *locks.Queue[*page]
	pages     map[string]*page // every page that was found, by its URL
	hosts     map[string]bool  // the hosts of the crawl

	busy, done, bytes int
	opened, reused    int // numbers of connections
	began, ended      time.Time
	cut               bool // the crawl was cancelled
	inProgress        bool // the progress line is on the terminal
}

// A page is a URL that was found, and what is known of it.
type page struct {
	URL       *url.URL
	Redirects int // how many more redirects may follow
	Tries     int // how many requests were made for it
	Done      bool

	// The result: an error, or what a response has brought.
	Err      error
	Status   int
	Type     string // the media type
	Encoding string // the character set
	Size     int
	Next     *url.URL // where it redirects to
	Links    int      // how many URLs of the crawl it has
	New      int      // how many of them were not known before
}

// newCrawler returns a crawler without pages. Call addRoots and then crawl.
func newCrawler(cfg config) *crawler {
	return &crawler{
		config: cfg,
		transport: &httpio.Transport{
			TLSClientConfig:     cfg.TLS,
			MaxIdleConnsPerHost: cfg.MaxTasks,
			MaxIdleConns:        cfg.MaxPool,
			DisableKeepAlives:   cfg.MaxPool == 0,
			DisableCompression:  true, // so that sizes are the sizes that the site sends
		},
		todo:  locks.NewQueue[*page](locks.Unbounded),
		pages: map[string]*page{},
		hosts: map[string]bool{},
	}
}

// crawl fetches all pages that can be reached from the roots. It returns when there is nothing
// left to do, or when ctx is cancelled. All of its tasks have ended then, so their results can
// be reported.
//
// The queue counts the pages to do. A page is done only after the pages that it links to were
// added. So Join returns when all pages are done, and not when the queue is empty for a moment.
func (c *crawler) crawl(ctx context.Context) error {
	c.began = task.Now(ctx)
	defer c.transport.CloseIdleConnections() // after the scope, whose tasks still return connections
	err := task.Scope(ctx, func(ctx context.Context) error {
		for range c.MaxTasks {
			task.Go(ctx, c.work)
		}
		watcher := task.Go(ctx, c.watch)
		if err := c.todo.Join(ctx); err != nil {
			return err
		}
		watcher.Cancel(nil)    // the scope waits for it, and it does not end by itself
		c.todo.Shutdown(false) // ends the workers
		return nil
	})
	c.ended, c.cut = task.Now(ctx), err != nil
	return err
}

// work is one of the MaxTasks workers. It processes pages from the queue until the queue is
// shut down.
func (c *crawler) work(ctx context.Context) error {
	for p, err := range c.todo.All(ctx) {
		if err != nil {
			return err
		}
		c.busy++
		err = c.process(ctx, p)
		c.busy--
		if err != nil {
			return err
		}
		c.todo.TaskDone()
	}
	return nil
}

// process fetches a page and adds the pages that it links to. A page that cannot be fetched is
// a result and no error: an error would end the crawl.
func (c *crawler) process(ctx context.Context, p *page) error {
	c.log(2, "fetching %v", p.URL)
	res, err := c.fetch(ctx, p)
	// Nothing switches from here to the end, so no other task and no report sees a page that is
	// half done.
	if cancelled := task.Check(ctx); cancelled != nil {
		return cancelled // the crawl has ended, and not this page
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

// digest stores what a response says, and queues the pages that it links to. digest does not
// switch.
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

// follow adds the page that p redirects to, unless that is one redirect too many.
func (c *crawler) follow(p *page) {
	if p.Redirects == 0 {
		p.Err = fmt.Errorf("more than %d redirects, the next is %v", c.MaxRedirect, p.Next)
		return
	}
	p.Err = nil
	c.add(p.Next, p.Redirects-1)
}

// add queues a URL, unless it is known or not wanted, and reports whether it has queued it.
// Nothing switches between the look-up and the store, so no page is fetched twice.
//
// A page may be found at the end of many redirects first, and in a link later. So that the order
// does not matter, Redirects is the largest number that any of them allows. That is also so if
// the page has been fetched and its chain of redirects has stopped there: then add and follow
// call each other along the chain. This ends, because each round allows one redirect less, and
// follow stops at zero.
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
