// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
)

// A loopBody is the body of a loopRequest's request.
type loopBody struct {
	lr    *loopRequest
	inner io.ReadCloser // of package net/http
}

// Read reads the body. Tasks and goroutines may read while others write the answer.
func (b *loopBody) Read(p []byte) (n int, err error) {
	err = b.lr.do("the body of a request", b.lr.stopReading, func() (err error) {
		n, err = b.inner.Read(p)
		return err
	})
	switch err {
	case io.EOF:
		b.lr.req.Trailer = b.lr.r.Trailer
	case errOver:
		err = http.ErrBodyReadAfterClose
	}
	return n, err
}

// Close closes the body, as package net/http does.
func (b *loopBody) Close() error {
	err := b.lr.do("the end of the body of a request", b.lr.stopReading, b.inner.Close)
	if err == errOver {
		return nil
	}
	return err
}
