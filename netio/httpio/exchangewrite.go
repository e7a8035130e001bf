// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"

	"baton/await"
	"baton/task"
)

// write sends the request. It keeps an error in sendErr or bodyErr.
func (e *exchange) write(ctx context.Context, gzip bool) {
	to := &streamWriter{ctx: ctx, e: e}
	w := writers.Get().(*bufio.Writer)
	w.Reset(to)
	returned := false
	defer func() {
		w.Reset(nil)
		writers.Put(w)
		if !returned && !e.released { // a panic or Goexit of the body: no response would ever come
			_ = e.conn.stream.Close()
		}
	}()
	err := e.writeTo(ctx, w, gzip)
	if err == nil {
		err = w.Flush()
	}
	returned = true
	switch {
	case err == nil:
		e.startTimer()
	case e.bodyRefused: // the response is being read
	case to.err != nil:
		e.sendErr = to.err // a response may have come nevertheless
	default:
		// The server waits for bytes that will not come.
		e.bodyErr = err
		if !e.released {
			_ = e.conn.stream.Close()
		}
	}
}

func (e *exchange) writeTo(ctx context.Context, w *bufio.Writer, gzip bool) error {
	req := *e.req
	if req.Header = req.Header.Clone(); req.Header == nil {
		req.Header = make(http.Header)
	}
	if gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	req.Close = req.Close || e.t.DisableKeepAlives
	if err := probe(&req); err != nil {
		return err
	}
	if e.expect == wantsContinue && hasBody(&req) {
		req.Body = &waitingBody{req.Body, e, ctx}
	}
	if e.conn.pool.route.proxy == "" || e.conn.pool.route.secure {
		return req.Write(w)
	}
	proxy, _ := url.Parse(e.conn.pool.route.proxy) // cannot fail: it was made from a URL
	if auth := authorization(proxy); auth != "" {
		req.Header.Set("Proxy-Authorization", auth)
	}
	return req.WriteProxy(w)
}

// probe reads the first byte of a body of unknown length, if the method usually has no body. If
// there is no byte, probe removes the body. Package net/http would do the same on a goroutine,
// where the Bodies of this package cannot be read.
func probe(req *http.Request) error {
	switch req.Method {
	case "", "GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH":
	default:
		return nil
	}
	if !hasBody(req) || req.ContentLength > 0 || len(req.TransferEncoding) > 0 {
		return nil
	}
	var b [1]byte
	_, err := io.ReadFull(req.Body, b[:])
	if err == io.EOF {
		err = req.Body.Close()
		req.Body, req.ContentLength = nil, 0
		return err
	}
	if err != nil {
		_ = req.Body.Close()
		return err
	}
	req.TransferEncoding = []string{"chunked"}
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b[:]), req.Body), req.Body}
	return nil
}

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// A streamWriter writes a request to the stream of the connection.
type streamWriter struct {
	ctx context.Context
	e   *exchange
	err error
}

func (w *streamWriter) Write(p []byte) (int, error) {
	n, err := w.e.conn.stream.Write(w.ctx, p)
	w.e.requestBegan = w.e.requestBegan || n > 0
	w.err = err
	return n, err
}

// A waitingBody is the body of a request with "Expect: 100-continue" (RFC 9110, section 10.1.1).
type waitingBody struct {
	io.ReadCloser
	e   *exchange
	ctx context.Context // of the task that sends the body
}

// Read waits for the status 100 before the first byte. Package net/http has flushed the head before
// it, because it does so for bodies of types that it does not know.
func (b *waitingBody) Read(p []byte) (int, error) {
	e := b.e
	if e.expect == wantsContinue {
		timed, release := await.WithTimeout(b.ctx, e.t.ExpectContinueTimeout)
		_ = e.continueDone.Wait(timed)
		release()
		if err := task.Check(b.ctx); err != nil {
			return 0, err
		}
		if e.bodyRefused {
			return 0, errAnswered
		}
		e.expect = continued
	}
	return b.ReadCloser.Read(p)
}
