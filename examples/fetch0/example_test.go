// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"baton/examples/internal/fetchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func play(answer string) error {
	return fetchtest.Play(fetch, fetchtest.Site{Port: "80", Pages: map[string]string{"/": answer}})
}

func Example() {
	fmt.Println(play("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Python</h1>\n"))
	// Output:
	// > GET / HTTP/1.0
	// < HTTP/1.0 200 OK
	// < Content-Type: text/html
	//
	// <h1>Python</h1>
	// <nil>
}

// The server closes the connection in the middle of the header.
func Example_shortHeader() {
	fmt.Println(play("HTTP/1.0 200 OK\r\nContent-Ty"))
	// Output:
	// > GET / HTTP/1.0
	// < HTTP/1.0 200 OK
	// unexpected EOF
}
