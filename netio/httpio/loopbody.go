// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
)

// A loopBody is the request's Body that the handler of a loopRequest reads.
type loopBody struct {
	lr    *loopRequest
	inner io.ReadCloser // of package net/http
}

// Read reads the body. Tasks and goroutines may read while others write the response.
func (b *loopBody) Read(p []byte) (n int, err error) {
	err = b.lr.do("the body of a request", b.lr.stopReading, func() (err error) {
		n, err = b.inner.Read(p)
		return err
	})
	switch err {
	case io.EOF:
		b.lr.req.Trailer = b.lr.r.Trailer
	case errHandlerReturned:
		err = http.ErrBodyReadAfterClose
	}
	return n, err
}

// Close closes the body of package net/http.
func (b *loopBody) Close() error {
	err := b.lr.do("the Close of the body of a request", b.lr.stopReading, b.inner.Close)
	if err == errHandlerReturned {
		return nil
	}
	return err
}
