// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"baton/await"
	"baton/netio"
)

// pause is the pause after the first try. Each further pause is twice as long.
const pause = 10 * time.Millisecond

// maxBody is the most bytes that a body may have.
const maxBody = 16 << 20

var errTimeout = errors.New("given up")

// fetch gets a page, and gives up after the timeout. The timeout is for all tries together,
// because a server that has stalled once will stall again.
//
// After the timeout, every wait for a connection, a header or a body returns an error, and the
// connection is closed.
func (c *crawler) fetch(ctx context.Context, p *page) (*response, error) {
	ctx, release := await.WithTimeout(ctx, c.Timeout)
	defer release()

	res, err := c.try(ctx, p)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w after %v", errTimeout, c.Timeout)
	}
	return res, err
}

// try requests a page, and requests it again while connections fail.
func (c *crawler) try(ctx context.Context, p *page) (*response, error) {
	for wait := pause; ; wait *= 2 {
		res, err := c.get(ctx, p)
		if err == nil || !broken(err) || p.Tries >= c.MaxTries {
			return res, err
		}
		c.log(2, "%v: try %d: %v", p.URL, p.Tries, err)
		if err := await.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// broken reports whether the connection has failed, so that a new connection may succeed. An
// invalid address, a name that does not exist and a refused certificate fail the next time as
// well.
func broken(err error) bool {
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok && name.IsNotFound {
		return false
	}
	_, ok := errors.AsType[*net.OpError](err)
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// get requests a page once, and again if a connection of the pool was closed. trace counts each
// of these requests as a try.
func (c *crawler) get(ctx context.Context, p *page) (*response, error) {
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, c.trace(p)), "GET", p.URL.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"User-Agent": {"baton-crawl"}, "Accept": {"*/*"}}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	tooLong := fmt.Errorf("%w: a body of more than %d bytes", netio.ErrTooLong, maxBody)
	if res.ContentLength > maxBody {
		return nil, tooLong
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = tooLong
	}
	return &response{res.StatusCode, res.Header, body}, err
}

// trace counts tries and connections, and logs them.
func (c *crawler) trace(p *page) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { p.Tries++ },
		GotConn: func(info httptrace.GotConnInfo) {
			if info.Reused {
				c.reused++
				c.log(3, "reusing %v->%v", info.Conn.LocalAddr(), info.Conn.RemoteAddr())
			} else {
				c.opened++
				c.log(3, "opened %v->%v", info.Conn.LocalAddr(), info.Conn.RemoteAddr())
			}
		},
	}
}

// href finds links in HTML: attributes with their value in quotes or without quotes. Without
// quotes there must be no blanks around the =, because such text may be code of a script.
var href = regexp.MustCompile(`(?i)\s(?:href|src)(?:\s*=\s*(?:"([^"]*)"|'([^']*)')|=([^\s"'<>]+))`)

// links returns the URLs that a page links to, each once, in their order.
func links(page *url.URL, body []byte) []*url.URL {
	var all []*url.URL
	seen := map[string]bool{}
	for _, match := range href.FindAllSubmatch(body, -1) {
		value := slices.Concat(match[1:]...) // two of the three are empty
		u, err := page.Parse(strings.TrimSpace(html.UnescapeString(string(value))))
		if err != nil {
			continue
		}
		u = clean(u)
		if key := u.String(); !seen[key] {
			seen[key] = true
			all = append(all, u)
		}
	}
	return all
}

// clean brings equal URLs to one form. It removes the fragment, and replaces an empty path by "/"
// (RFC 3986, 6.2.3). It encodes a blank in the query as %20; url.URL does that in the path only.
func clean(u *url.URL) *url.URL {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	c.RawQuery = strings.ReplaceAll(c.RawQuery, " ", "%20")
	if c.Path == "" {
		c.Path = "/"
	}
	return &c
}
