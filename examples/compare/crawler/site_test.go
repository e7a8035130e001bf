// SPDX-License-Identifier: Apache-2.0

package crawler_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sitePages is the number of pages in the tree of a site. Page n links to the pages 3n+1 to
// 3n+3.
const sitePages = 60

// A site is a web site, some of whose pages fail. Its handler runs on goroutines and on tasks.
type site struct {
	// wait waits on a goroutine or in a task, for slow pages.
	wait func(ctx context.Context, d time.Duration)

	mu      sync.Mutex // never held during a wait, so that it does not block a loop
	fetched map[string]int
	busy    int
	most    int // most pages at the same time
}

func newSite(wait func(context.Context, time.Duration)) *site {
	return &site{wait: wait, fetched: map[string]int{}}
}

// begin counts a request. It returns the number of requests for the path so far.
func (s *site) begin(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched[path]++
	s.busy++
	s.most = max(s.most, s.busy)
	return s.fetched[path]
}

func (s *site) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}

// counts returns the number of requests for each path, and the most pages at the same time.
func (s *site) counts() (fetched map[string]int, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fetched), s.most
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	times := s.begin(r.URL.Path)
	defer s.end()
	kind, number, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	n := 0
	fmt.Sscan(number, &n) // the number of a missing page does not matter
	switch kind {
	case "":
		http.Redirect(w, r, "/page/0", http.StatusMovedPermanently)
	case "page":
		s.page(w, r, n, times)
	case "old":
		http.Redirect(w, r, fmt.Sprintf("/page/%d", n), http.StatusFound)
	case "maze": // redirects without end
		http.Redirect(w, r, fmt.Sprintf("/maze/%d", n+1), http.StatusTemporaryRedirect)
	case "cut":
		cut(w)
	case "stall":
		s.wait(r.Context(), time.Hour)
	case "crash":
		http.Error(w, "crash", http.StatusInternalServerError)
	case "style.css":
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, "body {}\n")
	default:
		http.NotFound(w, r)
	}
}

// cut sends less than it has announced. The server then closes the connection. (If cut sent
// nothing, a Transport would repeat the request.)
func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, "less than promised")
}

// page sends page n of the tree. The first request for every tenth page fails.
func (s *site) page(w http.ResponseWriter, r *http.Request, n, times int) {
	if n%10 == 9 && times == 1 {
		cut(w)
		return
	}
	if n%7 == 6 {
		s.wait(r.Context(), time.Millisecond)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<title>%d</title><link rel=\"stylesheet\" href=\"/style.css\">\n", n)
	link := func(to string) { fmt.Fprintf(w, "<a href=\"%s\">there</a>\n", to) }
	for child := 3*n + 1; child <= 3*n+3 && child < sitePages; child++ {
		link(fmt.Sprint("/page/", child))
	}
	link(fmt.Sprintf("%d#top", (n-1)/3)) // the parent
	switch n {
	case 1:
		link("/cut")
		link("/crash")
		link("/maze/1")
	case 2:
		link("/old/3")
		link("/missing")
		link("/private/1?a=1&amp;b=2")
		link("http://elsewhere.example/")
		link("mailto:page@elsewhere.example")
	}
}
