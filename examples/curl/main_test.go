// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"baton/examples/internal/fetchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func play(url string, sites ...fetchtest.Site) error {
	return fetchtest.Play(func(ctx context.Context) error { return run(ctx, url) }, sites...)
}

func Example() {
	site := fetchtest.Site{Port: "80", Pages: map[string]string{
		"/a?b=c": "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"10\r\n<h1>Python</h1>\n\r\n0\r\n\r\n",
	}}
	fmt.Println(play("http://python.org/a?b=c", site))
	// Output:
	// python.org /a?b=c http
	// 200 OK
	// Content-Type: text/html
	// Server: x
	//
	// <h1>Python</h1>
	// <nil>
}

func Example_redirects() {
	site := fetchtest.Site{Port: "80", Pages: map[string]string{
		"/":     "HTTP/1.1 302 Found\r\nLocation: /page\r\nContent-Length: 0\r\n\r\n",
		"/page": "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone\n",
	}}
	fmt.Println(play("http://python.org", site))
	// Output:
	// python.org / http
	// python.org /page http
	// 404 Not Found
	// Content-Length: 5
	//
	// none
	// <nil>
}

func Example_bad() {
	site := fetchtest.Site{Port: "80", Pages: map[string]string{"/": "SSH-2.0-OpenSSH\r\n"}}
	fmt.Println(play("http://python.org/", site))
	fmt.Println(play("ftp://python.org/"))
	fmt.Println(play("http://python.com/"))
	// Output:
	// python.org / http
	// Get "http://python.org/": malformed HTTP response "SSH-2.0-OpenSSH"
	// python.org / ftp
	// Get "ftp://python.org/": httpio: unsupported protocol scheme "ftp"
	// python.com / http
	// Get "http://python.com/": dial tcp python.com:80: lookup python.com: no such host
}

// A loop of redirects is an error.
func TestRedirectLoop(t *testing.T) {
	site := fetchtest.Site{Port: "80", Pages: map[string]string{
		"/": "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
	}}
	if err := play("http://python.org/", site); err == nil {
		t.Error("no error")
	}
}

// The client trusts a server only with its certificate.
func TestHTTPS(t *testing.T) {
	config, file := fetchtest.Certificate(t)
	site := fetchtest.Site{Port: "443", TLS: config, Pages: map[string]string{"/": "HTTP/1.0 200 OK\r\n\r\n"}}
	if err := play("https://python.org/", site); err == nil {
		t.Error("the client trusts an unknown certificate")
	}
	*cafile = file
	defer func() { *cafile = "" }()
	if err := play("https://python.org/", site); err != nil {
		t.Error(err)
	}
}
