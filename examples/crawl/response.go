// SPDX-License-Identifier: Apache-2.0

package main

import (
	"mime"
	"net/http"
	"net/url"
)

// A response is what a server answers.
type response struct {
	Status int
	Header http.Header
	Body   []byte
}

// media returns the media type and the charset of the body, as the server says.
// A "-" stands for a charset that it leaves open.
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

// location returns where a redirect leads to, and nil for other responses. A
// redirect that does not say where to counts as any other response.
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
