// SPDX-License-Identifier: Apache-2.0

package main

import (
	"mime"
	"net/http"
	"net/url"
)

// A response is a response of a server.
type response struct {
	Status int
	Header http.Header
	Body   []byte
}

// media returns the media type and the charset of the body as the server reports them. The
// charset is "-" if the server reports none.
func (r *response) media() (kind, charset string) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "unknown", "-"
	}
	if charset = params["charset"]; charset == "" {
		charset = "-"
	}
	return kind, charset
}

// location returns the target of a redirect, and nil for other responses. A redirect without a
// location is not a redirect.
func (r *response) location(from *url.URL) *url.URL {
	switch r.Status {
	case 301, 302, 303, 307, 308:
		to, err := from.Parse(r.Header.Get("Location"))
		if err == nil && r.Header.Get("Location") != "" {
			return clean(to)
		}
	}
	return nil
}
