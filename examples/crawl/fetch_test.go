// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestLinks(t *testing.T) {
	page, err := url.Parse("http://example.com/dir/page?q")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`<a href="/root">, <img src='../up.png'>, <a href=next>`: "/root /up.png /dir/next",
		"<A\n\tHREF = '/a', href\n=\n\"/b\"":                     "/a /b",
		`<a href="next#a">, <a href="next">, <a href="#b">`:      "/dir/next /dir/page?q",
		`<a href="">`:                                         "/dir/page?q",
		`<a href="?a=1&amp;b=2">`:                             "/dir/page?a=1&b=2",
		`<a href="http://other.example">`:                     "http://other.example/",
		`<a href="mailto:x@y">`:                               "mailto:x@y",
		`<a href="http://[">`:                                 "",
		`<a href="a b?c d">`:                                  "/dir/a%20b?c%20d",
		`<a href=" a ">`:                                      "/dir/a",
		`<a href="it's">, <a href='"'>`:                       "/dir/it's /dir/%22",
		`href, <a href>, <a href=>, <a name=href>`:            "",
		`<a data-href="/a">`:                                  "",
		`<script>img.src = other; img.src=other; src = other`: "",
	} {
		var got []string
		for _, u := range links(page, []byte(body)) {
			got = append(got, strings.TrimPrefix(u.String(), "http://example.com"))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("the links of %s are %s, want %s", body, got, want)
		}
	}
}

// get returns what the server answers, or an error. broken reports whether another try may
// succeed.
func TestGet(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct {
		name, raw, body string
		err             error // the error, if there is no response
		broken          bool  // another try may succeed
	}{
		{"counted", ok + "Content-Length: 5\r\n\r\nhello", "hello", nil, false},
		{"to the end", ok + "\r\nall of it", "all of it", nil, false},
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", nil, false},
		{"compressed unasked", ok + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "x", nil, false},
		{"nothing", "", "", io.ErrUnexpectedEOF, true},
		{"half a head", ok + "A: b\r\n", "", io.ErrUnexpectedEOF, true},
		{"half a body", ok + "Content-Length: 5\r\n\r\nhe", "", io.ErrUnexpectedEOF, true},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe", "", io.ErrUnexpectedEOF, true},
		{"a huge body", ok + "Content-Length: 99999999999\r\n\r\n", "", netio.ErrTooLong, false},
		{"a huge head", ok + "A: " + strings.Repeat("b", 1<<20), "", errAny, false},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "", errAny, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				c := newCrawler(defaults())
				defer c.transport.CloseIdleConnections()
				p := &page{URL: speak(ctx, t, test.raw)}
				res, err := c.get(ctx, p)
				if (err == nil) != (test.err == nil) || test.err != errAny && !errors.Is(err, test.err) || err != nil && broken(err) != test.broken {
					t.Fatalf("error %v, want %v, broken %v", err, test.err, test.broken)
				}
				if err == nil && (string(res.Body) != test.body || res.Status != 200) || p.Tries != 1 || c.opened != 1 {
					t.Errorf("%.40q in try %d with %d connections", res.Body, p.Tries, c.opened)
				}
			})
		})
	}
}

var errAny = errors.New("some error")

// speak serves one request with the bytes raw, and returns the URL.
func speak(ctx context.Context, t *testing.T, raw string) *url.URL {
	t.Helper()
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	task.Go(ctx, func(ctx context.Context) error {
		defer ln.Close()
		server, err := ln.Accept(ctx)
		if err != nil {
			return err
		}
		defer server.Close()
		if _, err := server.ReadUntil(ctx, []byte("\r\n\r\n")); err != nil {
			return err
		}
		server.Write(ctx, []byte(raw)) // fails if the client has closed the connection
		return nil
	})
	return &url.URL{Scheme: "http", Host: ln.Addr().String(), Path: "/"}
}

func TestLocation(t *testing.T) {
	from, err := url.Parse("http://example.com/a/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status   int
		to, want string
	}{
		{301, "/c#d", "http://example.com/c"},
		{302, "c", "http://example.com/a/c"},
		{303, "//other.example", "http://other.example/"},
		{307, "https://example.com/", "https://example.com/"},
		{308, "", "<nil>"},
		{302, "http://[", "<nil>"},
		{200, "/c", "<nil>"},
		{304, "/c", "<nil>"},
	} {
		res := &response{Status: test.status, Header: map[string][]string{"Location": {test.to}}}
		got := "<nil>"
		if u := res.location(from); u != nil {
			got = u.String()
		}
		if got != test.want {
			t.Errorf("%d to %q leads to %s, want %s", test.status, test.to, got, test.want)
		}
	}
}
