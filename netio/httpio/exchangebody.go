// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
)

// A responseBody is the Body of a response of a Transport.
type responseBody struct {
	e     *exchange
	inner io.Reader
	keep  bool // the connection may be kept after the body was read
	busy  bool // a Read is running
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
		return 0, errors.New("httpio: two tasks read the Body of a response at once; let one task read it")
	}
	b.busy = true
	n, err := b.inner.Read(p)
	b.e.waitWritten(err == io.EOF && b.keep)
	b.busy = false
	switch {
	case b.err != nil: // another task has closed the body during the Read
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

// Close ends the response. If the body was not read to its end, Close closes the connection.
func (b *responseBody) Close() error {
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
		b.e.finish(false)
		if !b.busy {
			b.e.putReader() // a running Read does that itself
		}
	}
	return nil
}

// A gzipBody decompresses a body.
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
