// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"baton/sim"
)

func TestRoots(t *testing.T) {
	for root, want := range map[string]string{
		"example.com":                "http://example.com/",
		"http://example.com/a?b#c":   "http://example.com/a?b",
		"https://example.com":        "https://example.com/",
		"ftp://example.com/":         "",
		"http://":                    "",
		"":                           "",
		"example.com:port":           "",
		"http://[::1]:8080/":         "http://[::1]:8080/",
		"http://example.com/%zz":     "",
		"http://user@example.com:80": "http://user@example.com:80/",
	} {
		c := newCrawler(defaults())
		err := c.addRoots([]string{root})
		if (err == nil) != (want != "") || err == nil && c.pages[want] == nil {
			t.Errorf("addRoots(%q) = %v with %v, want %q", root, err, c.pages, want)
		}
	}
}

func TestWanted(t *testing.T) {
	for _, test := range []struct {
		root, url       string
		strict, lenient bool
	}{
		{"http://example.com/", "http://example.com/a", true, true},
		{"http://example.com/", "https://WWW.example.com:444/", true, true},
		{"http://www.example.com/", "http://example.com/", true, true},
		{"http://example.com/", "http://docs.example.com/", false, true},
		{"http://example.com/", "http://example.org/", false, false},
		{"http://example.com./", "http://www.example.com/", true, true},
		{"http://example.com/", "http://docs.example.com./", false, true},
		{"http://example.com./", "http://elsewhere.com./", false, false},
		{"http://10.0.1.2/", "http://10.9.1.2/", false, false},
		{"http://10.0.1.2./", "http://10.9.1.2./", false, false},
		{"http://example.com/", "mailto:me@example.com", false, false},
	} {
		for lenient, want := range map[bool]bool{false: test.strict, true: test.lenient} {
			cfg := defaults()
			cfg.Lenient = lenient
			c := newCrawler(cfg)
			if err := c.addRoots([]string{test.root}); err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(test.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.wanted(u); got != want {
				t.Errorf("root %s, lenient %v: wanted(%s) = %v, want %v", test.root, lenient, test.url, got, want)
			}
		}
	}
}

func TestExclude(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		cfg := defaults()
		cfg.Exclude = regexp.MustCompile(`/(maze|old)/|:1/`)
		got := crawlSite(ctx, t, cfg).totals()
		if got["redirect"] != 1 || got["fail"] != 1 || got["html"] != sitePages+1 {
			t.Errorf("totals = %v, want 1 redirect, 1 fail and all of html", got)
		}
	})
}

// The error for a bad URL quotes what the user has typed.
func TestBadRoot(t *testing.T) {
	for root, want := range map[string]string{
		"":              `crawl: "" is not an http URL: there is no host`,
		"ftp://a":       `crawl: "ftp://a" is not an http URL: the scheme is ftp`,
		"a.example/%zz": `crawl: "a.example/%zz" is not an http URL: invalid URL escape "%zz"`,
	} {
		if err := newCrawler(defaults()).addRoots([]string{root}); err == nil || err.Error() != want {
			t.Errorf("addRoots(%q) = %v, want %s", root, err, want)
		}
	}
}

// A root that is excluded is not fetched, and the crawl logs that.
func TestExcludedRootIsLogged(t *testing.T) {
	var said strings.Builder
	cfg := defaults()
	cfg.Exclude, cfg.Log = regexp.MustCompile("/a"), &said
	c := newCrawler(cfg)
	if err := c.addRoots([]string{"http://x.example/a", "http://x.example/b"}); err != nil {
		t.Fatal(err)
	}
	if len(c.pages) != 1 || c.pages["http://x.example/b"] == nil {
		t.Errorf("the roots are %v, want the second alone", c.pages)
	}
	if want := "http://x.example/a is excluded\n"; said.String() != want {
		t.Errorf("the crawl says %q, want %q", &said, want)
	}
}
