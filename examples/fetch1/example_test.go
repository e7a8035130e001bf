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

const page = "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Python</h1>\n"

func play(url string, sites ...fetchtest.Site) error {
	return fetchtest.Play(func(ctx context.Context) error { return run(ctx, url) }, sites...)
}

func Example() {
	site := fetchtest.Site{Port: "80", Pages: map[string]string{"/": page}}
	fmt.Println(play("http://python.org", site))
	// Output:
	// <h1>Python</h1>
	// <nil>
}

func Example_verbose() {
	*verbose = true
	defer func() { *verbose = false }()
	site := fetchtest.Site{Port: "8080", Pages: map[string]string{"/a?b=c": page}}
	fmt.Println(play("http://python.org:8080/a?b=c", site))
	// Output:
	// > GET /a?b=c HTTP/1.0
	// < HTTP/1.0 200 OK
	// < Content-Type: text/html
	//
	// <h1>Python</h1>
	// <nil>
}

// The client trusts a server only with its certificate.
func TestHTTPS(t *testing.T) {
	config, file := fetchtest.Certificate(t)
	site := fetchtest.Site{Port: "443", TLS: config, Pages: map[string]string{"/": page}}
	if err := play("https://python.org/", site); err == nil {
		t.Error("the client trusts an unknown certificate")
	}
	*cafile = file
	defer func() { *cafile = "" }()
	if err := play("https://python.org/", site); err != nil {
		t.Error(err)
	}
}

func Example_bad() {
	for _, answer := range []string{"", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nwhat\r\n\r\n", "HTTP/1.0 200 OK\r\n"} {
		site := fetchtest.Site{Port: "80", Pages: map[string]string{"/": answer}}
		fmt.Println(play("http://python.org/", site))
	}
	fmt.Println(play("ftp://python.org/"))
	fmt.Println(play("http://python.org:81/"))
	fmt.Println(play("http://python.com/"))
	// Output:
	// EOF
	// bad status line "SSH-2.0-OpenSSH"
	// bad header line "what"
	// EOF
	// the URL must use http or https
	// dial tcp 10.0.0.1:81: connect: connection refused
	// dial tcp python.com:80: lookup python.com: no such host
}
