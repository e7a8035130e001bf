// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/examples/internal/fetchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	page  = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n<h1>Python</h1>\n"
	moved = "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n"
)

func play(url string, sites ...fetchtest.Site) error {
	return fetchtest.Play(func(ctx context.Context) error { return run(ctx, url) }, sites...)
}

// A redirect to the same host reuses the connection. A redirect to another host does not.
func Example() {
	*verbose = true
	defer func() { *verbose = false }()
	fmt.Println(play("http://python.org/here",
		fetchtest.Site{Port: "80", Pages: map[string]string{
			"/here":  moved + "Location: there\r\n\r\n",
			"/there": moved + "Location: /away\r\n\r\n",
			"/away":  moved + "Location: http://python.org:81/\r\n\r\n",
		}},
		fetchtest.Site{Port: "81", Pages: map[string]string{"/": page}},
	))
	// Output:
	// * Connecting to python.org:80
	// * New connection 10.0.0.1:49152->10.0.0.1:80
	// > GET /here HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 301 Moved Permanently
	// < Content-Length: 0
	// < Location: there
	//
	// redirect to http://python.org/there
	// * Connecting to python.org:80
	// * Reusing pooled connection 10.0.0.1:49152->10.0.0.1:80
	// > GET /there HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 301 Moved Permanently
	// < Content-Length: 0
	// < Location: /away
	//
	// redirect to http://python.org/away
	// * Connecting to python.org:80
	// * Reusing pooled connection 10.0.0.1:49152->10.0.0.1:80
	// > GET /away HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 301 Moved Permanently
	// < Content-Length: 0
	// < Location: http://python.org:81/
	//
	// redirect to http://python.org:81/
	// * Connecting to python.org:81
	// * New connection 10.0.0.1:49153->10.0.0.1:81
	// > GET / HTTP/1.1
	// > Host: python.org:81
	// < HTTP/1.1 200 OK
	// < Content-Length: 16
	//
	// <h1>Python</h1>
	// <nil>
}

// A connection is not reused if the server announces that it closes the connection, or has
// closed it.
func Example_closed() {
	*verbose = true
	defer func() { *verbose = false }()
	for _, redirect := range []string{
		moved + "Connection: close\r\nLocation: /there\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 17\r\n\r\nConnection: close",
	} {
		fmt.Println(play("http://python.org/here",
			fetchtest.Site{Port: "80", Pages: map[string]string{"/here": redirect, "/there": page}}))
	}
	// Output:
	// * Connecting to python.org:80
	// * New connection 10.0.0.1:49152->10.0.0.1:80
	// > GET /here HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 301 Moved Permanently
	// < Content-Length: 0
	// < Connection: close
	// < Location: /there
	//
	// redirect to http://python.org/there
	// * Connecting to python.org:80
	// * New connection 10.0.0.1:49153->10.0.0.1:80
	// > GET /there HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 200 OK
	// < Content-Length: 16
	//
	// <h1>Python</h1>
	// <nil>
	// * Connecting to python.org:80
	// * New connection 10.0.0.1:49152->10.0.0.1:80
	// > GET /here HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 302 Found
	// < Location: /there
	// < Content-Length: 17
	//
	// redirect to http://python.org/there
	// * Connecting to python.org:80
	// * New connection 10.0.0.1:49153->10.0.0.1:80
	// > GET /there HTTP/1.1
	// > Host: python.org
	// < HTTP/1.1 200 OK
	// < Content-Length: 16
	//
	// <h1>Python</h1>
	// <nil>
}

// Too many redirects are an error.
func Example_redirects() {
	fmt.Println(play("http://python.org/",
		fetchtest.Site{Port: "80", Pages: map[string]string{"/": moved + "Location: /\r\n\r\n"}}))
	// Output:
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// redirect to http://python.org/
	// more than 10 redirects
}

// A length, the last chunk, the end of the connection or the status ends a body.
func Example_bodies() {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, answer := range []string{
		ok + "Content-Length: 5\r\n\r\nhello",
		ok + "Connection: close\r\n\r\nhello",
		ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\nA;x=y\r\nllo, world\r\n0\r\nTrailer: 1\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\nnot found",
	} {
		fmt.Println(play("http://python.org/", fetchtest.Site{Port: "80", Pages: map[string]string{"/": answer}}))
	}
	// Output:
	// hello<nil>
	// hello<nil>
	// hello, world<nil>
	// <nil>
	// not found<nil>
}

func Example_bad() {
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	for _, answer := range []string{
		"",
		"SSH-2.0-OpenSSH\r\n",
		ok + "what\r\n\r\n",
		ok + "Content-Length: 5\r\n\r\nhell",
		ok + "Content-Length: -5\r\n\r\n",
		ok + "Content-Length: 99999999\r\n\r\n",
		ok + "Transfer-Encoding: gzip\r\n\r\n",
		chunked + "5\r\nhell",
		chunked + "4\r\nhello\r\n0\r\n\r\n",
		chunked + "-4\r\n",
		chunked + "1\r\nx\r\nffffff\r\nx" + strings.Repeat("x", 100),
		chunked + "1\r\nx\r\n1000000\r\nx",
		moved + "Connection: close\r\nLocation: http://[\r\n\r\n",
		moved + "Connection: close\r\nLocation: ftp://python.org/\r\n\r\n",
	} {
		fmt.Println(play("http://python.org/", fetchtest.Site{Port: "80", Pages: map[string]string{"/": answer}}))
	}
	fmt.Println(play("http://python.org:81/"))
	// Output:
	// EOF
	// bad status line "SSH-2.0-OpenSSH"
	// bad header line "what"
	// unexpected EOF
	// bad content length "-5"
	// bad content length "99999999"
	// unknown transfer encoding "gzip"
	// unexpected EOF
	// a chunk is not 4 bytes long
	// bad chunk size "-4"
	// unexpected EOF
	// bad chunk size "1000000"
	// parse "http://[": missing ']' in host
	// redirect to ftp://python.org/
	// the URL must use http or https
	// dial tcp 10.0.0.1:81: connect: connection refused
}

// The client trusts a server only with its certificate.
func TestHTTPS(t *testing.T) {
	config, file := fetchtest.Certificate(t)
	http := fetchtest.Site{Port: "80", Pages: map[string]string{"/": moved + "Location: https://python.org/\r\n\r\n"}}
	https := fetchtest.Site{Port: "443", TLS: config, Pages: map[string]string{"/": page}}
	if err := play("http://python.org/", http, https); err == nil {
		t.Error("the client trusts an unknown certificate")
	}
	*cafile = file
	defer func() { *cafile = "" }()
	if err := play("http://python.org/", http, https); err != nil {
		t.Error(err)
	}
}
