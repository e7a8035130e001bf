// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"io"
	"net/http"
	"sync"

	"baton/await"
)

// An expect is the state of a request with "Expect: 100-continue".
type expect uint8

const (
	noContinue    expect = iota // the client sends the body at once
	wantsContinue               // the client waits for the status 100
	continued                   // the status 100 was sent, or will not be sent
)

// maxDrained is how many bytes of a body the server reads that the handler has not read, as in
// package net/http. If there are more, the server closes the connection.
const maxDrained = 256 << 10

// A body is the Body of a request of a Server. One goroutine or task at a time may read it, also
// while another one writes the response.
type body struct {
	w       *response
	request *http.Request // the request of http.ReadRequest, which receives the trailers
	inner   io.ReadCloser
	br      *bufio.Reader // of inner
	read    int64         // how many bytes were read; belongs to the reading call

	mu              sync.Mutex // guards the fields below; never held during a read
	expect          expect
	responseBegun   bool          // the response has begun; the status 100 must not be sent
	continueWritten chan struct{} // closed when the status 100 was written; nil before its Write
	reading         bool
	draining        bool // the reading call is drain; later Reads of the handler fail
	closed          bool
	err             error // of the last read; io.EOF means that the whole body was read
}

// Read reads the body. The first Read sends the status 100 if the client waits for it.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	switch {
	case b.draining:
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case b.reading:
		b.mu.Unlock()
		misuse("the Body of a request is read by two callers at once; let one task or goroutine read it")
	case b.closed:
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case b.err == io.EOF: // after another error, such as a timeout, a Read may continue
		b.mu.Unlock()
		return 0, io.EOF
	}
	ask := b.expect == wantsContinue && !b.responseBegun
	if ask {
		b.expect, b.continueWritten = continued, make(chan struct{})
	}
	b.reading = true
	b.mu.Unlock()
	if ask {
		err := b.w.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
		close(b.continueWritten)
		if err != nil {
			return 0, b.readDone(err)
		}
	}
	n, err := b.inner.Read(p)
	b.read += int64(n)
	return n, b.readDone(err)
}

// readDone ends a read with its error, and returns the error. After it, another call may use the
// reader.
func (b *body) readDone(err error) error {
	ahead := err == io.EOF && b.br.Buffered() > 0 // the client has sent another request
	b.mu.Lock()
	b.reading, b.draining = false, false
	b.err = err
	if err == io.EOF {
		b.w.req.Trailer = b.request.Trailer
	}
	b.mu.Unlock()
	if err == io.EOF && !ahead {
		b.w.c.watchClient(b.w)
	}
	return err
}

// Close makes later Reads fail. The server drains the rest of the body after the handler.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// beginResponse prevents a status 100 from now on. If another goroutine or task is writing the
// status 100, beginResponse waits until it is written.
func (b *body) beginResponse(c *conn) {
	b.mu.Lock()
	b.responseBegun = true
	continueWritten := b.continueWritten
	b.mu.Unlock()
	if continueWritten == nil {
		return
	}
	if caller, ctx := c.task.Running(); caller != nil {
		_, _, _ = await.Receive(ctx, continueWritten)
	} else {
		<-continueWritten
	}
}

// drain reads the rest of the body, and reports whether nothing is left of it. It does not wait for
// a Read that another goroutine or task makes: it returns false, and the connection ends after the
// response. Nothing is left of a body that the end of the connection has cut short.
func (b *body) drain() bool {
	b.mu.Lock()
	tooMuch := !b.reading && b.request.ContentLength-b.read >= maxDrained
	if b.reading || b.err != nil || b.expect == wantsContinue || tooMuch {
		defer b.mu.Unlock()
		return b.err == io.EOF || b.err == io.ErrUnexpectedEOF && b.request.ContentLength > 0 && !tooMuch
	}
	b.reading, b.draining = true, true
	b.mu.Unlock()
	n, err := io.CopyN(io.Discard, b.inner, maxDrained+1)
	b.read += n
	_ = b.readDone(err)
	if err == io.EOF {
		_ = b.Close()
	}
	return err == io.EOF
}

// atEOF reports whether the whole body was read.
func (b *body) atEOF() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// end makes later Reads fail, because the handler has ended. It reports whether a Read is running.
func (b *body) end() (reading bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.reading
}
