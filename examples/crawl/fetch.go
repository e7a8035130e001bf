// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"baton/await"
)

// pause is how long a page waits after its first try; after each further one it
// is twice as long.
const pause = 10 * time.Millisecond

var errTimeout = errors.New("given up")

// fetch gets a page, and gives it up when its time is over. The time is for all
// tries together: a server that stalls once will do so again.
//
// When it is over, whatever the page is waiting for, a connection, a line or the
// rest of a body, returns with an error, and get closes the connection.
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
		p.Tries++
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

// get asks for a page once: over a connection of the pool, or, if that has failed
// already, over a new one, so that stale connections cost at most one try. The
// connection is ours alone until it is put back, and it is put back only if the
// response was read to its end: otherwise the next request would be answered with
// the rest of this one.
func (c *crawler) get(ctx context.Context, p *page) (*response, error) {
	connect := c.pool.get
	if p.Tries > 1 {
		connect = c.pool.open
	}
	conn, err := connect(ctx, targetOf(p.URL))
	if err != nil {
		return nil, err
	}
	res, err := roundTrip(ctx, conn.Stream, p.URL)
	if err != nil || res.Close {
		conn.Close() // whatever else comes over it belongs to nobody
		return res, err
	}
	c.pool.put(conn)
	return res, nil
}

// targetOf is where to connect to for u.
func targetOf(u *url.URL) target {
	if u.Scheme == "https" {
		return target{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), true}
	}
	return target{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), false}
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
