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
	*verbose = true
	defer func() { *verbose = false }()
	site := fetchtest.Site{Port: "80", Pages: map[string]string{
		"/a?b=c": "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<h1>Python</h1>, and bytes after the body",
	}}
	fmt.Println(play("http://python.org/a?b=c", site))
	// Output:
	// * Connecting to python.org:80 using tcp
	// * Connected to 10.0.0.1:80
	// > GET /a?b=c HTTP/1.1
	// > Host: python.org
	// > Connection: close
	// < HTTP/1.1 200 OK
	// < Content-Length: 15
	//
	// <h1>Python</h1><nil>
}

// Without a length, the end of the connection ends the body.
func Example_noLength() {
	site := fetchtest.Site{Port: "80", Pages: map[string]string{
		"/": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<h1>Python</h1>\n",
	}}
	fmt.Println(play("http://python.org", site))
	// Output:
	// <h1>Python</h1>
	// <nil>
}

func Example_bad() {
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for _, answer := range []string{
		"",
		"SSH-2.0-OpenSSH\r\n",
		ok + "what\r\n\r\n",
		ok + "Content-Length: 5\r\n\r\nhell",
		ok + "Content-Length: -5\r\n\r\n",
		ok + "Content-Length: 99999999\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		fmt.Println(play("http://python.org/", fetchtest.Site{Port: "80", Pages: map[string]string{"/": answer}}))
	}
	fmt.Println(play("ftp://python.org/"))
	fmt.Println(play("http://python.org:81/"))
	// Output:
	// EOF
	// bad status line "SSH-2.0-OpenSSH"
	// bad header line "what"
	// unexpected EOF
	// bad content length "-5"
	// bad content length "99999999"
	// the body is chunked: try fetch3
	// the URL must use http or https
	// dial tcp 10.0.0.1:81: connect: connection refused
}

// The client trusts a server only with its certificate.
func TestHTTPS(t *testing.T) {
	config, file := fetchtest.Certificate(t)
	site := fetchtest.Site{Port: "8443", TLS: config, Pages: map[string]string{"/": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}
	if err := play("https://python.org:8443/", site); err == nil {
		t.Error("the client trusts an unknown certificate")
	}
	*cafile = file
	defer func() { *cafile = "" }()
	if err := play("https://python.org:8443/", site); err != nil {
		t.Error(err)
	}
}
