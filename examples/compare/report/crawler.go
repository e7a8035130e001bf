// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"baton/examples/compare/crawler"
	"baton/examples/compare/crawler/goroutines"
	"baton/examples/compare/crawler/tasks"
)

var crawlerProgram = Program{
	Name: "crawler", Unit: "page", Held: "pages", Working: 50, Holding: 500,
	Tasks:      crawlSide(tasks.Crawl),
	Goroutines: crawlSide(goroutines.Crawl),
	Partner:    func() (Partner, error) { return newWebSite(8000), nil },
}

func crawlSide(crawl func(context.Context, crawler.Config) (*crawler.Report, error)) Side {
	return func(ctx context.Context, job Job) error {
		job.Ready("")
		_, err := crawl(ctx, crawler.Config{Roots: []string{job.Partner}, MaxTasks: job.AtOnce})
		return err
	}
}

var filler = strings.Repeat("<p>A line of a page, which is about as long as lines are.</p>\n", 64)

// A webSite is the partner of the crawler: a site with a number of pages of about 4 KiB. Page n
// links to its parent and to the pages 4n+1 to 4n+4. The root waits until Work or Hold is
// called, and then links to page 0, or to pages that never answer.
type webSite struct {
	pages   int
	server  *httptest.Server
	root    chan string   // the answer of the root
	fetched chan struct{} // receives a value for each request
}

func newWebSite(pages int) *webSite {
	s := &webSite{pages: pages, root: make(chan string, 1), fetched: make(chan struct{})}
	s.server = httptest.NewServer(s)
	return s
}

func (s *webSite) Address() string { return s.server.URL }

// Close closes the connections first, because handlers may wait for the client.
func (s *webSite) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

func (s *webSite) Work(ctx context.Context, _ string, _ int) (int, error) {
	s.root <- `<a href="/page/0">`
	return s.pages, s.wait(ctx, s.pages)
}

func (s *webSite) Hold(ctx context.Context, _ string, n int) error {
	var links strings.Builder
	for i := range n {
		fmt.Fprintf(&links, "<a href=\"/hold/%d\">\n", i)
	}
	s.root <- links.String()
	return s.wait(ctx, n)
}

// wait waits for n requests, without the request for the root.
func (s *webSite) wait(ctx context.Context, n int) error {
	for i := range n {
		select {
		case <-s.fetched:
		case <-ctx.Done():
			return fmt.Errorf("the crawler has asked for %d pages of %d: %w", i, n, context.Cause(ctx))
		}
	}
	return nil
}

func (s *webSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.URL.Path == "/" {
		select {
		case answer := <-s.root:
			fmt.Fprint(w, answer)
		case <-r.Context().Done():
		}
		return
	}
	select {
	case s.fetched <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	if strings.HasPrefix(r.URL.Path, "/hold/") {
		<-r.Context().Done()
		return
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/page/"))
	fmt.Fprintf(w, "%s<a href=\"/page/%d\">up</a>\n", filler, (n-1)/4)
	for child := 4*n + 1; child <= 4*n+4 && child < s.pages; child++ {
		fmt.Fprintf(w, "<a href=\"/page/%d\">down</a>\n", child)
	}
}
