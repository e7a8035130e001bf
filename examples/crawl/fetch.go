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

// pause is how long a page waits after its first try; after each further one it
// is twice as long.
const pause = 10 * time.Millisecond

// maxBody is how much of a page is taken, in bytes.
const maxBody = 16 << 20

var errTimeout = errors.New("given up")

// fetch gets a page, and gives it up when its time is over. The time is for all
// tries together: a server that stalls once will do so again.
//
// When it is over, whatever the page is waiting for, a connection, a head or the
// rest of a body, returns with an error, and the connection is closed.
func (c *crawler) fetch(ctx context.Context, p *page) (*response, error) {
	ctx, release := await.WithTimeout(ctx, c.Timeout)
	defer release()

	res, err := c.try(ctx, p)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w after %v", errTimeout, c.Timeout)
	}
	return res, err
}

// try asks for a page again and again, as long as connections break.
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

// broken reports whether it was the connection that failed, so that another one
// may do better: it could not be made, or it ended too early. An address that is
// none, a name that does not exist, or a certificate that is refused, is no better the
// next time.
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

// get asks for a page once, or again if a connection of the pool turns out to be closed:
// the trace counts each time as a try.
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

// trace counts tries and connections, and tells of them.
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

// Enough of HTML to find links in it: attributes with their value in quotes, or
// without. With blanks around the = the latter could be the code of a script.
var href = regexp.MustCompile(`(?i)\s(?:href|src)(?:\s*=\s*(?:"([^"]*)"|'([^']*)')|=([^\s"'<>]+))`)

// links returns the URLs that a page refers to, each once, in their order.
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

// clean brings equal URLs to one form: a fragment is the browser's business, a
// blank is sent as %20 (url.URL sees to that in the path alone), and no path is
// the same as the shortest one (RFC 3986, 6.2.3).
func clean(u *url.URL) *url.URL {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	c.RawQuery = strings.ReplaceAll(c.RawQuery, " ", "%20")
	if c.Path == "" {
		c.Path = "/"
	}
	return &c
}
