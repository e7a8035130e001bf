// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// A request without a body has http.NoBody in the same cases as in package net/http.
func TestRequestsWithoutABodyHaveNoBody(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		none := r.Body == http.NoBody
		b, err := io.ReadAll(r.Body)
		again, errAgain := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, none, " ", r.ContentLength, " ", r.GetBody == nil, " ", string(b), err, again, errAgain, r.Body.Close())
	})
	r := newRig(t, h, h)
	for _, sent := range []string{
		"GET / HTTP/1.1\r\n" + hostField + "\r\n",
		"HEAD / HTTP/1.1\r\n" + hostField + "\r\n",
		"DELETE / HTTP/1.1\r\n" + hostField + "\r\n",
		post + "\r\n",
		post + "Content-Length: 0\r\n\r\n",
		post + "Content-Length: 3\r\n\r\nabc",
		post + "Expect: 100-continue\r\n\r\n",
		post + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		chunked + "0\r\n\r\n",
		chunked + "3\r\nabc\r\n0\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.0\r\n\r\nabc",
		"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\n" + hostField + "\r\n",
	} {
		sent += next
		if ours, theirs := r.ours(sent), r.theirs(sent); ours != theirs && !changed(sent) {
			t.Errorf("%q\nours   %q\ntheirs %q", sent, ours, theirs)
		}
	}
}
