// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// addRoots queues the URLs where the crawl begins, and adds their hosts to the hosts of the
// crawl.
func (c *crawler) addRoots(roots []string) error {
	for _, root := range roots {
		u, err := parseRoot(root)
		if err != nil {
			return fmt.Errorf("crawl: %q is not an http URL: %w", root, err)
		}
		c.hosts[c.domain(u)] = true
		if !c.wanted(u) {
			c.log(0, "%v is excluded", u)
			continue
		}
		c.add(u, c.MaxRedirect)
	}
	return nil
}

// parseRoot parses a URL as a user types it. Without a scheme the scheme is http.
func parseRoot(root string) (*url.URL, error) {
	if !strings.Contains(root, "://") {
		root = "http://" + root
	}
	u, err := url.Parse(root)
	if bad, ok := errors.AsType[*url.Error](err); ok {
		return nil, bad.Err // without the URL, to which parseRoot has added a scheme
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme is %s", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("there is no host")
	}
	return clean(u), nil
}

// wanted reports whether a URL belongs to the crawl.
func (c *crawler) wanted(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && c.hosts[c.domain(u)] &&
		(c.Exclude == nil || !c.Exclude.MatchString(u.String()))
}

// domain is the part of a URL that is the same for all URLs of a crawl. It is the host without
// "www." and without a final dot. In a lenient crawl it is the last two labels of the host.
func (c *crawler) domain(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	host = strings.TrimPrefix(strings.TrimSuffix(host, "."), "www.")
	labels := strings.Split(host, ".")
	if n := len(labels); c.Lenient && n > 2 && !numeric(labels[n-1]) {
		host = labels[n-2] + "." + labels[n-1]
	}
	return host
}

// numeric reports whether label is the last label of an IP address.
func numeric(label string) bool {
	return label != "" && strings.Trim(label, "0123456789") == ""
}
