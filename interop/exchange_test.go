// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// An httpClient sends requests to a server and checks the answers.
type httpClient struct {
	t    *testing.T
	do   func(*http.Request) (*http.Response, error)
	base string // of the URLs
}

// An exchange is a request and the expected answer.
type exchange struct {
	method, path, body string
	header             string // "Name: value" of the request
	status             int
	want               string // the body
	field              string // "Name: value" of the answer
}

// get gets a page and compares its text with want. It returns the header of the answer.
func (c httpClient) get(ctx context.Context, path, want string) http.Header {
	c.t.Helper()
	return c.make(ctx, exchange{method: "GET", path: path, status: 200, want: want})
}

// make sends a request and checks the answer. It returns the header of the answer.
func (c httpClient) make(ctx context.Context, v exchange) http.Header {
	c.t.Helper()
	var body io.Reader
	if v.body != "" {
		body = strings.NewReader(v.body)
	}
	req := newRequest(ctx, c.t, v.method, c.base+v.path, body)
	if name, value, ok := strings.Cut(v.header, ": "); ok {
		req.Header.Set(name, value)
	}
	resp, err := c.do(req)
	if err != nil {
		c.t.Errorf("%s %s: %v", v.method, v.path, err)
		return nil
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if resp.StatusCode != v.status || string(got) != v.want || err != nil {
		c.t.Errorf("%s %s: %s with %d bytes %.100q, %v; want %d with %.100q",
			v.method, v.path, resp.Status, len(got), got, err, v.status, v.want)
	}
	if name, value, ok := strings.Cut(v.field, ": "); ok && resp.Header.Get(name) != value {
		c.t.Errorf("%s %s: %s is %q, want %q", v.method, v.path, name, resp.Header.Get(name), value)
	}
	return resp.Header
}

// newRequest returns a request, or fails the test.
func newRequest(ctx context.Context, t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// random returns n pseudo-random bytes, which are the same in each call.
func random(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}
