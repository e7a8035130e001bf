// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"io"
	"net/http"
	"sync"

	"baton/await"
)

// expect is what the client does before it sends the body.
type expect uint8

const (
	noContinue    expect = iota // it sends the body at once
	wantsContinue               // it waits for the status 100
	continued                   // which was sent, or is not going to be
)

// maxDrained is how much of a body that the handler has not read is read in its place, in
// bytes, as in package net/http. After more the connection is closed.
const maxDrained = 256 << 10

// A body is the body of a request. One goroutine or task at a time may read it, also
// beside the one that writes the answer.
type body struct {
	w       *response
	request *http.Request // as http.ReadRequest has made it, which gets the trailers
	inner   io.ReadCloser
	br      *bufio.Reader // of inner
	read    int64         // bytes of it, for the one that reads

	mu              sync.Mutex // guards the rest; it is never held during a read
	expect          expect
	responseBegun   bool          // the answer has begun: no status 100 any more
	continueWritten chan struct{} // is closed when the status 100 was written; nil if it was not begun
	reading         bool
	draining        bool // what reads is drain: the handler was too late
	closed          bool
	err             error // of the last read; io.EOF is the end of the body
}

// Read reads the body. The first one asks the client for it, if the client waits for that.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	switch {
	case b.draining:
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case b.reading:
		b.mu.Unlock()
		misuse("Read of the Body of a request during another Read; let one task or goroutine read it")
	case b.closed:
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case b.err == io.EOF: // after another error a Read may go on, with a later deadline
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

// did is the end of a read. Only then may another one, or the end of the request, have
// the reader.
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

// Close has later Reads fail. What was not read is read, or given up, after the handler.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// refuse begins the answer: the client is not asked for the body any more. It waits until
// that is written if it has begun, by another goroutine or task.
func (b *body) beginResponse(c *conn) {
	b.mu.Lock()
	b.responseBegun = true
	continueWritten := b.continueWritten
	b.mu.Unlock()
	if continueWritten == nil {
		return
	}
	if caller, ctx := c.home.Running(); caller != nil {
		_, _, _ = await.Receive(ctx, continueWritten)
	} else {
		<-continueWritten
	}
}

// drain reads the rest of the body, and reports whether that was all. It reads nothing
// while another goroutine or task does: the connection ends after the answer then. A body
// that the end of the connection has cut short has no rest.
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

// atEOF reports whether all of the body was read.
func (b *body) atEOF() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// end is the end of the handler. It reports whether a Read is at work.
func (b *body) end() (reading bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.reading
}
