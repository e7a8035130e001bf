// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
)

// A responseBody is the body of a response.
type responseBody struct {
	e     *exchange
	inner io.Reader
	keep  bool // the connection may be kept when the body was read
	busy  bool // in a Read
	err   error
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if _, err := b.e.readerContext(); err != nil {
		return 0, err
	}
	if b.busy {
		return 0, errors.New("httpio: two tasks read the body of a response at once")
	}
	b.busy = true
	n, err := b.inner.Read(p)
	b.e.waitWritten(err == io.EOF && b.keep)
	b.busy = false
	switch {
	case b.err != nil: // another task has closed the body meanwhile
		b.e.putReader()
		return n, b.err
	case err != nil:
		b.err = b.e.readFailure(err)
		b.e.finish(err == io.EOF && b.keep)
		b.e.putReader()
		return n, b.err
	}
	return n, nil
}

// Close ends the response. A connection with the rest of a body on it is closed.
func (b *responseBody) Close() error {
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
		b.e.finish(false)
		if !b.busy {
			b.e.putReader() // which a Read has otherwise
		}
	}
	return nil
}

// A gzipBody expands a body.
type gzipBody struct {
	body io.ReadCloser
	zr   *gzip.Reader
	err  error
}

func (b *gzipBody) Read(p []byte) (int, error) {
	if b.zr == nil && b.err == nil {
		b.zr, b.err = gzip.NewReader(b.body)
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.zr.Read(p)
	b.err = err
	return n, err
}

func (b *gzipBody) Close() error {
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
	}
	return b.body.Close()
}
