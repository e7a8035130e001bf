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

func TestReadResponse(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const wait = "HTTP/1.1 100 Continue\r\n\r\n"
	tests := []struct {
		name, raw string
		body      string
		close     bool
		err       error
	}{
		{"counted", ok + "Content-Length: 5\r\n\r\nhello", "hello", false, nil},
		{"bare line feeds", "HTTP/1.1 200\nContent-Length: 2\n\nhi", "hi", false, nil},
		{"empty", ok + "content-length: 0\r\n\r\n", "", false, nil},
		{"to the end", ok + "\r\nall of it", "all of it", true, nil},
		{"close", ok + "Connection: Close\r\nContent-Length: 1\r\n\r\nx", "x", true, nil},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", true, nil},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", "", false, nil},
		{"continue first", wait + ok + "Content-Length: 1\r\n\r\nx", "x", false, nil},
		{"a long wait", strings.Repeat(wait, maxInterim) + ok + "Content-Length: 1\r\n\r\nx", "x", false, nil},
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, chunks!!\r\n0\r\nT: 1\r\n\r\n", "hello, chunks!!", false, nil},
		{"no chunk", ok + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "", false, nil},

		{"nothing", "", "", false, io.EOF},
		{"half a line", "HTTP/1.", "", false, io.ErrUnexpectedEOF},
		{"half a head", ok + "A: b\r\n", "", false, io.ErrUnexpectedEOF},
		{"half a body", ok + "Content-Length: 5\r\n\r\nhe", "he\x00\x00\x00", false, io.ErrUnexpectedEOF},
		{"no body", ok + "Content-Length: 1\r\n\r\n", "\x00", false, io.ErrUnexpectedEOF},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe", "", false, io.ErrUnexpectedEOF},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "", false, io.ErrUnexpectedEOF},
		{"no trailer", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "", false, io.ErrUnexpectedEOF},

		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "", false, errProtocol},
		{"no status", "HTTP/1.1 OK\r\n\r\n", "", false, errProtocol},
		{"no field", ok + "what\r\n\r\n", "", false, errProtocol},
		{"folded field", ok + "A: b\r\n c: d\r\n\r\n", "", false, errProtocol},
		{"no answer but waits", strings.Repeat(wait, maxInterim+1) + ok + "\r\n", "", false, errProtocol},
		{"many fields", ok + strings.Repeat("A: b\r\n", maxFields) + "\r\n", "", false, errProtocol},
		{"long line", ok + "A: " + strings.Repeat("b", netio.DefaultLineLimit) + "\r\n\r\n", "", false, netio.ErrTooLong},
		{"negative length", ok + "Content-Length: -1\r\n\r\n", "", false, errProtocol},
		{"huge length", ok + "Content-Length: 99999999999\r\n\r\n", "", false, errProtocol},
		{"bad chunk size", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "", false, errProtocol},
		{"huge chunk", ok + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", "", false, errProtocol},
		{"huge second chunk", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n7fffffff\r\n", "", false, errProtocol},
		{"gzip", ok + "Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n\r\nx", "", false, errProtocol},
		{"gzip of chunks", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", "", false, errProtocol},
		{"long chunk", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", "", false, errProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				client := speak(ctx, t, test.raw)
				defer client.Close()
				res, err := readResponse(ctx, client)
				if !errors.Is(err, test.err) || test.err == nil && err != nil {
					t.Fatalf("error %v, want %v", err, test.err)
				}
				if err == nil && (string(res.Body) != test.body || res.Close != test.close) {
					t.Errorf("body %q, close %v, want %q, %v", res.Body, res.Close, test.body, test.close)
				}
			})
		})
	}
}

// speak returns a stream to a server that says raw and nothing more.
func speak(ctx context.Context, t *testing.T, raw string) *netio.Stream {
	t.Helper()
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := netio.Dial(ctx, "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	task.Go(ctx, func(ctx context.Context) error {
		defer server.Close()
		server.Write(ctx, []byte(raw)) // the client may have had enough
		return nil
	})
	return client
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
