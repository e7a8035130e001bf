// SPDX-License-Identifier: Apache-2.0

// Package crawler is the common part of two web crawlers: their configuration, their report,
// and the functions that need neither tasks nor goroutines.
//
// Package tasks is the crawler with Baton, and package goroutines is the crawler with goroutines
// and channels. The tests in this package run against both.
package crawler

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxBody is how many bytes of a page a crawler reads. It ignores the rest.
const MaxBody = 1 << 20

// A Config configures a crawl. A field that is zero means its default.
type Config struct {
	// Roots are the URLs where the crawl begins. The crawl stays on their hosts.
	Roots []string

	// Exclude matches the URLs that are not fetched.
	Exclude *regexp.Regexp

	MaxTasks     int           // how many pages are fetched at the same time; default 10
	MaxTries     int           // how often a page without an answer is fetched; default 3
	MaxRedirects int           // how many redirects are followed one after another; default 10
	Pause        time.Duration // after the first try, doubled after each further one; default 10 ms
	Timeout      time.Duration // bounds each try; default 30 s

	// Progress, unless nil, is called every Interval (default 1 s) while the crawl runs. There
	// is one call at a time. It must not block.
	Progress func(Progress)
	Interval time.Duration
}

// Progress is the state of a crawl at one moment.
type Progress struct {
	Found, Done int // pages
}

// A Page is a URL of the crawl. Two links with the same URL are one page.
type Page struct {
	URL       string
	Redirects int // how many more redirects may follow

	base *url.URL // URL, parsed

	// The result. Status and Err are zero until the page was fetched.
	Tries  int
	Err    error // why there is no answer, or why the redirect is not followed
	Status int
	Type   string // Content-Type
	Size   int
}

// A Report is the result of a crawl.
type Report struct {
	Pages   []*Page // pages with an answer or an error, in the order of their URLs
	Pending int     // pages that were found and not fetched, because the crawl was cancelled
}

// A Scope is a Config with its defaults, and the hosts of its roots.
type Scope struct {
	Config
	hosts map[string]bool
}

// NewScope checks cfg, and returns the pages where the crawl begins.
func NewScope(cfg Config) (*Scope, []*Page, error) {
	cfg.MaxTasks = cmp.Or(cfg.MaxTasks, 10)
	cfg.MaxTries = cmp.Or(cfg.MaxTries, 3)
	cfg.MaxRedirects = cmp.Or(cfg.MaxRedirects, 10)
	cfg.Pause = cmp.Or(cfg.Pause, 10*time.Millisecond)
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Second)
	cfg.Interval = cmp.Or(cfg.Interval, time.Second)

	s := &Scope{Config: cfg, hosts: map[string]bool{}}
	var roots []*Page
	for _, root := range cfg.Roots {
		u, err := url.Parse(root)
		if err != nil {
			return nil, nil, fmt.Errorf("crawler: root: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, nil, fmt.Errorf("crawler: root %q is not an http URL", root)
		}
		s.hosts[u.Host] = true
		roots = s.appendWanted(roots, u, cfg.MaxRedirects)
	}
	return s, roots, nil
}

// appendWanted appends the page of u, without a fragment, if u belongs to the crawl.
func (s *Scope) appendWanted(pages []*Page, u *url.URL, redirects int) []*Page {
	page := *u
	page.Fragment, page.RawFragment = "", ""
	if page.Path == "" {
		page.Path = "/" // an equal URL (RFC 3986, 6.2.3)
	}
	if page.Scheme != "http" && page.Scheme != "https" || !s.hosts[page.Host] {
		return pages
	}
	full := page.String()
	if s.Exclude != nil && s.Exclude.MatchString(full) {
		return pages
	}
	return append(pages, &Page{URL: full, Redirects: redirects, base: &page})
}

// Read records an answer in p, and returns the pages that p links to or redirects to. These
// pages may be known already.
func (s *Scope) Read(p *Page, res *http.Response, body []byte) []*Page {
	p.Status, p.Type, p.Size = res.StatusCode, res.Header.Get("Content-Type"), len(body)
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		to, err := p.base.Parse(res.Header.Get("Location"))
		if err != nil {
			p.Err = err
			return nil
		}
		if p.Redirects == 0 {
			p.Err = fmt.Errorf("crawler: more than %d redirects", s.MaxRedirects)
			return nil
		}
		return s.appendWanted(nil, to, p.Redirects-1)
	case res.StatusCode == http.StatusOK && isHTML(p.Type):
		var found []*Page
		for ref := range references(body) {
			if u, err := p.base.Parse(ref); err == nil {
				found = s.appendWanted(found, u, s.MaxRedirects)
			}
		}
		return found
	}
	return nil
}

// NewReport returns the report of a crawl that has found these pages.
func NewReport(pages map[string]*Page) *Report {
	r := &Report{}
	for _, p := range pages {
		if p.Status == 0 && p.Err == nil {
			r.Pending++
		} else {
			r.Pages = append(r.Pages, p)
		}
	}
	slices.SortFunc(r.Pages, func(a, b *Page) int { return strings.Compare(a.URL, b.URL) })
	return r
}
