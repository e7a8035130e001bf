// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"baton/await"
	"baton/netio"
)

// The demo site is a tree of pages with the numbers of a heap: page n links to the pages
// fanout*n+1 to fanout*n+fanout. Some pages also link to pages that fail. The tests compute
// their totals from these numbers.
const (
	sitePages = 500
	fanout    = 4

	slowEvery    = 25 // pages that take slowTime
	oldEvery     = 20 // pages with a link to a moved page
	missingEvery = 50 // pages with a link to a missing page
	cutEvery     = 50 // pages whose first request ends with a closed connection
	slowTime     = 200 * time.Millisecond
)

// The pages outside the tree. The link of the error page is relative, so a crawler that follows
// the links of error pages never ends: each link leads to the same error one level deeper.
const (
	goodbye  = "<p>No more questions.</p>\n"
	notFound = "<h1>Not Found</h1>\n<a href=was/it/here>Here?</a>\n"
	crash    = "<h1>Internal Server Error</h1>\n"
	style    = "body { font-family: serif }\n"
)

// A site is the demo web site. It remembers the pages whose first request it has answered with
// a closed connection.
type site struct {
	cut map[int]bool
}

func newSite() *site { return &site{cut: map[int]bool{}} }

// serve answers the requests of one connection, one after another, until the client closes the
// connection. It is a netio.Handler: it runs as its own task, and an error ends this connection
// only.
func (st *site) serve(ctx context.Context, s *netio.Stream) error {
	for {
		head, err := s.ReadUntil(ctx, []byte("\r\n\r\n"))
		if err != nil {
			return err // mostly io.EOF or net.ErrClosed: the client or serve has closed the connection
		}
		request, _, _ := strings.Cut(string(head), "\r\n")
		fields := strings.Fields(request) // "GET", the path, "HTTP/1.1"
		if len(fields) != 3 || fields[0] != "GET" {
			return respond(ctx, s, 400, "text/plain", "only GET, please\n")
		}
		if err := st.answer(ctx, s, fields[1]); err != nil {
			return err
		}
	}
}

// answer answers a request for path. It may close the connection.
func (st *site) answer(ctx context.Context, s *netio.Stream, path string) error {
	kind, number, numbered := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	n, err := strconv.Atoi(number)
	if numbered && (err != nil || n < 0 || n >= sitePages) {
		kind = "missing"
	}
	switch kind {
	case "":
		return redirect(ctx, s, 301, "/page/0")
	case "page":
		return st.page(ctx, s, n)
	case "old": // a redirect
		return redirect(ctx, s, 302, fmt.Sprintf("/page/%d", n))
	case "maze": // redirects without end
		return redirect(ctx, s, 307, fmt.Sprintf("/maze/%d", n+1))
	case "style.css":
		return respond(ctx, s, 200, "text/css", style)
	case "goodbye": // announces that it closes the connection, and closes it
		err := send(ctx, s, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n%s", goodbye)
		if err == nil {
			err = s.Close()
		}
		return err
	case "stall": // announces a body and never sends it; ends when the client disconnects
		err := send(ctx, s, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<p>Just a")
		if err == nil {
			_, err = s.Peek(ctx, 1)
		}
		return err
	case "crash":
		return respond(ctx, s, 500, "text/html", crash)
	default:
		return respond(ctx, s, 404, "text/html", notFound)
	}
}

// page serves page n of the tree. It sends every second page in chunks.
func (st *site) page(ctx context.Context, s *netio.Stream, n int) error {
	if n%cutEvery == cutEvery-1 && !st.cut[n] {
		st.cut[n] = true
		return s.Close() // without an answer
	}
	if n%slowEvery == slowEvery-1 {
		if err := await.Sleep(ctx, slowTime); err != nil {
			return err
		}
	}
	body := text(n)
	if n%2 == 0 {
		return respond(ctx, s, 200, "text/html; charset=utf-8", body)
	}
	half := len(body) / 2
	return send(ctx, s, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half, body[:half], len(body)-half, body[half:])
}

// text returns the HTML of page n.
func text(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<html><head><title>Page %d</title><link rel=stylesheet href=/style.css></head>\n<body>\n", n)
	fmt.Fprintf(&b, "<h1>Page %d</h1>\n%s<ul>\n", n, strings.Repeat("<p>One task at a time holds the baton.</p>\n", 8+n%24))
	link := func(to string) { fmt.Fprintf(&b, "<li><a href=%q>%s</a></li>\n", to, to) }
	for child := fanout*n + 1; child <= fanout*n+fanout && child < sitePages; child++ {
		link(fmt.Sprintf("/page/%d", child))
	}
	if n > 0 {
		link(fmt.Sprintf("/page/%d#up", (n-1)/fanout))
	}
	if n%oldEvery == 0 {
		link(fmt.Sprintf("/old/%d", n))
	}
	if n%missingEvery == 0 {
		link(fmt.Sprintf("missing/%d", n)) // relative to /page, so the link is wrong
	}
	switch n {
	case 1:
		link("/crash")
		link("/stall")
	case 2:
		link("/maze/1")
		link("/goodbye")
	case 3:
		link("http://127.0.0.1:1/")           // no server listens there
		link("http://elsewhere.example/?a&b") // beyond the crawl
		link("mailto:person@elsewhere.example")
	}
	b.WriteString("</ul></body></html>\n")
	return b.String()
}

// respond sends a whole response.
func respond(ctx context.Context, s *netio.Stream, status int, kind, body string) error {
	return send(ctx, s, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		status, reasons[status], kind, len(body), body)
}

// redirect sends a redirect to the client.
func redirect(ctx context.Context, s *netio.Stream, status int, to string) error {
	return send(ctx, s, "HTTP/1.1 %d %s\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
		status, reasons[status], to)
}

// send formats and writes in one call, so mostly in one packet.
func send(ctx context.Context, s *netio.Stream, format string, args ...any) error {
	_, err := s.Write(ctx, fmt.Appendf(nil, format, args...))
	return err
}

var reasons = map[int]string{
	200: "OK", 301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect",
	400: "Bad Request", 404: "Not Found", 500: "Internal Server Error",
}
