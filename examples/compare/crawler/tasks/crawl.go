// SPDX-License-Identifier: Apache-2.0

// Package tasks is the crawler with Baton.
//
// The tasks share the fields of a crawl without a lock: one task of a loop runs at a time, and
// it switches only in a call that waits. Here these are the calls with a ctx, RoundTrip, and
// the reads of a Body.
package tasks

import (
	"context"
	"io"
	"net/http"

	"baton/await"
	"baton/examples/compare/crawler"
	"baton/locks"
	"baton/netio/httpio"
	"baton/task"
)

// A crawl is one call of Crawl.
type crawl struct {
	*crawler.Scope
	transport *httpio.Transport
	todo      *locks.Queue[*crawler.Page]
	pages     map[string]*crawler.Page // all pages that were found
	done      int
}

// Crawl fetches the pages that can be reached from the roots of cfg. It returns when all tasks
// have ended. If ctx is cancelled, Crawl returns the error of ctx, and the report of the pages
// that were fetched before.
func Crawl(ctx context.Context, cfg crawler.Config) (*crawler.Report, error) {
	scope, roots, err := crawler.NewScope(cfg)
	if err != nil {
		return nil, err
	}
	c := &crawl{
		Scope:     scope,
		transport: &httpio.Transport{MaxIdleConnsPerHost: scope.MaxTasks, DisableCompression: true},
		todo:      locks.NewQueue[*crawler.Page](locks.Unbounded),
		pages:     map[string]*crawler.Page{},
	}
	defer c.transport.CloseIdleConnections()
	c.add(roots)

	err = task.Scope(ctx, func(ctx context.Context) error {
		for range c.MaxTasks {
			task.Go(ctx, c.work)
		}
		watcher := task.Go(ctx, c.watch)
		if err := c.todo.Join(ctx); err != nil {
			return err
		}
		watcher.Cancel(nil)
		c.todo.Shutdown(false)
		return nil
	})
	return crawler.NewReport(c.pages), err
}

// add queues the pages that were not found before.
func (c *crawl) add(found []*crawler.Page) {
	for _, p := range found {
		if c.pages[p.URL] == nil {
			c.pages[p.URL] = p
			c.todo.TryPut(p) // the queue has no bound
		}
	}
}

// work runs in each of the MaxTasks tasks. It fetches pages until the queue is shut down.
func (c *crawl) work(ctx context.Context) error {
	for p, err := range c.todo.All(ctx) {
		if err != nil {
			return err
		}
		if err := c.process(ctx, p); err != nil {
			return err
		}
		c.done++
		c.todo.TaskDone() // after add, so that Join returns when all pages are done
	}
	return nil
}

// process fetches a page, with several tries, and queues the pages that it links to. It returns
// an error only if the crawl is cancelled.
func (c *crawl) process(ctx context.Context, p *crawler.Page) error {
	for pause := c.Pause; ; pause *= 2 {
		p.Tries++
		found, err := c.fetch(ctx, p)
		if err == nil {
			c.add(found)
			return nil
		}
		if cancelled := task.Check(ctx); cancelled != nil {
			return cancelled
		}
		if p.Tries == c.MaxTries {
			p.Err = err
			return nil
		}
		if err := await.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// fetch fetches a page once, and returns the pages that it links to.
func (c *crawl) fetch(ctx context.Context, p *crawler.Page) ([]*crawler.Page, error) {
	ctx, release := await.WithTimeout(ctx, c.Timeout)
	defer release()
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

// watch calls Progress every Interval.
func (c *crawl) watch(ctx context.Context) error {
	if c.Progress == nil {
		return nil
	}
	for ticker := await.NewTicker(ctx, c.Interval); ; {
		if _, err := ticker.Next(ctx); err != nil {
			return err
		}
		c.Progress(crawler.Progress{Found: len(c.pages), Done: c.done})
	}
}
