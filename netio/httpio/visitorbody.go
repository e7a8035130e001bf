// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
)

// A visitorBody is the body of a visitor's request.
type visitorBody struct {
	v     *visitor
	inner io.ReadCloser // of package net/http
}

// Read reads the body. Tasks and goroutines may read while others write the answer.
func (b *visitorBody) Read(p []byte) (n int, err error) {
	err = b.v.do("the body of a request", b.v.stopReading, func() (err error) {
		n, err = b.inner.Read(p)
		return err
	})
	switch err {
	case io.EOF:
		b.v.req.Trailer = b.v.r.Trailer
	case errOver:
		err = http.ErrBodyReadAfterClose
	}
	return n, err
}

// Close closes the body, as package net/http does.
func (b *visitorBody) Close() error {
	err := b.v.do("the end of the body of a request", b.v.stopReading, b.inner.Close)
	if err == errOver {
		return nil
	}
	return err
}
