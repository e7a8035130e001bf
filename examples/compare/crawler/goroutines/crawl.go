// SPDX-License-Identifier: Apache-2.0

// Package goroutines is the crawler with goroutines and channels.
//
// The goroutine that calls Crawl owns what the workers would have to share: the pages that were
// found, and the queue. The workers fetch and parse pages. A channel passes each page to a
// worker, and another channel returns it. The goroutine that has a page owns it.
package goroutines

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"baton/examples/compare/crawler"
)

// A crawl is one call of Crawl.
type crawl struct {
	*crawler.Scope
	transport *http.Transport
	todo      chan *crawler.Page
	results   chan []*crawler.Page     // the pages that a page links to
	pages     map[string]*crawler.Page // all pages that were found
	queue     []*crawler.Page
	done      int
}

// Crawl fetches the pages that can be reached from the roots of cfg. It returns when all
// workers have ended. If ctx is cancelled, Crawl returns the error of ctx, and the report of
// the pages that were fetched before.
func Crawl(ctx context.Context, cfg crawler.Config) (*crawler.Report, error) {
	scope, roots, err := crawler.NewScope(cfg)
	if err != nil {
		return nil, err
	}
	c := &crawl{
		Scope:     scope,
		transport: &http.Transport{MaxIdleConnsPerHost: scope.MaxTasks, DisableCompression: true},
		todo:      make(chan *crawler.Page),
		results:   make(chan []*crawler.Page),
		pages:     map[string]*crawler.Page{},
	}
	defer c.transport.CloseIdleConnections()
	c.add(roots)

	var workers sync.WaitGroup
	for range c.MaxTasks {
		workers.Go(func() { c.work(ctx) })
	}
	err = c.coordinate(ctx)
	close(c.todo)
	workers.Wait()
	return crawler.NewReport(c.pages), err
}

// add queues the pages that were not found before.
func (c *crawl) add(found []*crawler.Page) {
	for _, p := range found {
		if c.pages[p.URL] == nil {
			c.pages[p.URL] = p
			c.queue = append(c.queue, p)
		}
	}
}

// coordinate passes pages to the workers and takes their results, until all pages are done. If
// ctx is cancelled, coordinate only waits for the results of the busy workers.
func (c *crawl) coordinate(ctx context.Context) error {
	var tick <-chan time.Time
	if c.Progress != nil {
		ticker := time.NewTicker(c.Interval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for busy := 0; busy > 0 || len(c.queue) > 0 && ctx.Err() == nil; {
		var todo chan<- *crawler.Page // nil, which is never ready, if the queue is empty
		var next *crawler.Page
		if len(c.queue) > 0 && ctx.Err() == nil {
			todo, next = c.todo, c.queue[0]
		}
		select {
		case todo <- next:
			c.queue = c.queue[1:]
			busy++
		case found := <-c.results:
			busy--
			c.done++
			c.add(found)
		case <-tick:
			c.Progress(crawler.Progress{Found: len(c.pages), Done: c.done})
		}
	}
	return ctx.Err()
}

// work runs on each of the MaxTasks goroutines. It fetches pages until todo is closed.
func (c *crawl) work(ctx context.Context) {
	for p := range c.todo {
		c.results <- c.process(ctx, p)
	}
}

// process fetches a page, with several tries, and returns the pages that it links to. If ctx is
// cancelled, process leaves the page without an answer and without an error.
func (c *crawl) process(ctx context.Context, p *crawler.Page) []*crawler.Page {
	for pause := c.Pause; ; pause *= 2 {
		p.Tries++
		found, err := c.fetch(ctx, p)
		if err == nil || ctx.Err() != nil {
			return found
		}
		if p.Tries == c.MaxTries {
			p.Err = err
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// fetch fetches a page once, and returns the pages that it links to.
func (c *crawl) fetch(ctx context.Context, p *crawler.Page) ([]*crawler.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, crawler.MaxBody))
	if err != nil {
		return nil, err
	}
	return c.Read(p, res, body), nil
}
