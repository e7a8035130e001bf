// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"

	"baton/netio"
)

// A request is a request for a URL.
type request struct {
	url    *url.URL
	target target
	method string
	header []string // lines
}

func newRequest(u *url.URL) (*request, error) {
	r := &request{url: u, method: "GET", header: []string{"Host: " + u.Host}}
	switch u.Scheme {
	case "http":
		r.target = target{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), false}
	case "https":
		r.target = target{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), true}
	default:
		return nil, errors.New("the URL must use http or https")
	}
	return r, nil
}

// send writes the request.
func (r *request) send(ctx context.Context, s *netio.Stream) error {
	var head []byte
	for _, line := range append([]string{r.method + " " + r.url.RequestURI() + " HTTP/1.1"}, r.header...) {
		say(">", line)
		head = append(head, line+"\r\n"...)
	}
	_, err := s.Write(ctx, append(head, "\r\n"...))
	return err
}
