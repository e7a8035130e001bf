// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// smallBody is up to where a body is sent before the response is read, in bytes: the
// kernel takes it without a wait. A longer one is sent by a task of its own, for the
// server may answer meanwhile.
const smallBody = 32 << 10

// An exchange is a request and its response, on a connection.
type exchange struct {
	t    *Transport
	link *link
	req  *http.Request
	ctx  context.Context // of the request
	home *task.Ref       // its task
	br   *bufio.Reader
	left int64 // bytes that the head of the response may still have

	began    bool // a byte of the response has come
	writing  bool // a task sends the body
	writeErr error
	over     bool // the connection was given back
}

// try sends a request on a connection, and reads the head of the response.
func (t *Transport) try(ctx context.Context, req *http.Request, r route) (*http.Response, error) {
	c, err := t.get(ctx, r)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	e := &exchange{t: t, link: c, req: req, ctx: ctx, home: task.Self(ctx)}
	e.br = readers.Get().(*bufio.Reader)
	e.br.Reset(e)
	resp, err := e.run()
	if err == nil {
		return resp, nil
	}
	reused := c.reused && !e.began && task.Check(ctx) == nil
	e.finish(false)
	if reused {
		return nil, &staleError{err}
	}
	return nil, err
}

func (e *exchange) run() (*http.Response, error) {
	unzip := e.asksForGzip()
	if n := e.req.ContentLength; e.req.Body == nil || e.req.Body == http.NoBody || 0 < n && n <= smallBody {
		e.writeErr = e.write(e.ctx, unzip)
	} else {
		e.writing = true
		task.Go(e.ctx, func(ctx context.Context) error {
			e.writeErr = e.write(ctx, unzip)
			e.writing = false
			return nil // the response tells the caller, or the connection is closed
		})
	}
	resp, err := e.head()
	if err != nil {
		if e.writeErr != nil {
			err = e.writeErr // it says more
		}
		return nil, err
	}
	resp.Request = e.req
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		resp.Body = e.upgrade()
		return resp, nil
	case resp.Body == http.NoBody || resp.ContentLength == 0 || e.req.Method == "HEAD":
		e.finish(e.canKeep(resp))
		resp.Body = http.NoBody
		return resp, nil
	}
	resp.Body = &responseBody{e: e, inner: resp.Body, keep: e.canKeep(resp)}
	if unzip && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		resp.Body = &gzipBody{body: resp.Body}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
		resp.Uncompressed = true
	}
	return resp, nil
}

// asksForGzip reports whether the transport asks for a compressed body, which it expands.
func (e *exchange) asksForGzip() bool {
	h := e.req.Header
	return !e.t.DisableCompression && h.Get("Accept-Encoding") == "" && h.Get("Range") == "" && e.req.Method != "HEAD"
}

// canKeep reports whether another request may follow the response.
func (e *exchange) canKeep(resp *http.Response) bool {
	return !resp.Close && !e.req.Close && !hasToken(e.req.Header["Connection"], "close")
}

// write sends the request.
func (e *exchange) write(ctx context.Context, gzip bool) error {
	req := *e.req
	if gzip || e.t.DisableKeepAlives {
		req.Header = req.Header.Clone()
		if req.Header == nil {
			req.Header = make(http.Header)
		}
		if gzip {
			req.Header.Set("Accept-Encoding", "gzip")
		}
		req.Close = req.Close || e.t.DisableKeepAlives
	}
	w := writers.Get().(*bufio.Writer)
	w.Reset(&sink{ctx, e.link.stream})
	defer func() {
		w.Reset(nil)
		writers.Put(w)
	}()
	var err error
	if e.link.route.proxy != "" && !e.link.route.secure {
		proxy, _ := url.Parse(e.link.route.proxy) // which was a URL before
		if auth := authorization(proxy); auth != "" {
			req.Header = req.Header.Clone()
			req.Header.Set("Proxy-Authorization", auth)
		}
		err = req.WriteProxy(w)
	} else {
		err = req.Write(w)
	}
	if err == nil {
		err = w.Flush()
	}
	return err
}

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// A sink is a stream as what a request is written to.
type sink struct {
	ctx context.Context
	s   *netio.Stream
}

func (w *sink) Write(p []byte) (int, error) { return w.s.Write(w.ctx, p) }

// Read makes an exchange what its reader reads from.
func (e *exchange) Read(p []byte) (int, error) {
	ctx := e.ctx
	if r, own := e.home.Running(); r == nil {
		return 0, errors.New("httpio: the body of a response is read on a goroutine; use Transport.Foreign")
	} else if r != e.home {
		ctx = own
	}
	if e.left == 0 {
		return 0, fmt.Errorf("httpio: the head of the response is longer than %d bytes", e.t.maxHeader())
	}
	if e.left > 0 && int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.link.stream.Read(ctx, p)
	if e.left > 0 {
		e.left -= int64(n)
	}
	e.began = e.began || n > 0
	return n, err
}

func (t *Transport) maxHeader() int64 {
	if t.MaxResponseHeaderBytes > 0 {
		return t.MaxResponseHeaderBytes
	}
	return maxResponseHeader
}

// head reads the head of the response, after those of status 1xx.
func (e *exchange) head() (*http.Response, error) {
	if d := e.t.ResponseHeaderTimeout; d > 0 {
		outer := e.ctx
		timed, release := await.WithTimeout(outer, d)
		defer release()
		e.ctx = timed
		defer func() { e.ctx = outer }()
		resp, err := e.readHead()
		if err != nil && task.Check(timed) != nil && task.Check(outer) == nil {
			err = fmt.Errorf("httpio: waiting for the head of the response: %w", os.ErrDeadlineExceeded)
		}
		return resp, err
	}
	return e.readHead()
}

func (e *exchange) readHead() (*http.Response, error) {
	for {
		e.left = e.t.maxHeader()
		resp, err := http.ReadResponse(e.br, e.req)
		e.left = -1
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		return resp, nil
	}
}

// finish gives the connection back: kept if keep says so and nothing is left of the
// exchange on it.
func (e *exchange) finish(keep bool) {
	if e.over {
		return
	}
	e.over = true
	keep = keep && !e.writing && e.writeErr == nil && e.br.Buffered() == 0
	e.br.Reset(nil)
	readers.Put(e.br)
	e.br = nil
	if keep {
		e.t.put(e.link)
	} else {
		e.t.drop(e.link)
	}
}

// A responseBody is the body of a response.
type responseBody struct {
	e     *exchange
	inner io.Reader
	keep  bool // the connection may be kept when the body was read
	err   error
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.inner.Read(p)
	if err != nil {
		b.err = err
		b.e.finish(err == io.EOF && b.keep)
	}
	return n, err
}

// Close ends the response. A connection with the rest of a body on it is closed.
func (b *responseBody) Close() error {
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
		b.e.finish(false)
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

// An upgraded is the body of a response of status 101: the connection.
type upgraded struct {
	e *exchange
	io.ReadWriteCloser
}

func (e *exchange) upgrade() io.ReadWriteCloser {
	if ahead, _ := e.br.Peek(e.br.Buffered()); len(ahead) > 0 {
		e.link.stream.Unread(ahead)
	}
	e.over = true
	e.br.Reset(nil)
	readers.Put(e.br)
	e.br = nil
	e.t.leave(e.link.route)
	return upgraded{e, e.link.stream.NetConn(e.ctx)}
}

// tunnel asks a proxy for a connection to addr (RFC 9110, section 9.3.6).
func tunnel(ctx context.Context, s *netio.Stream, proxy *url.URL, addr string) error {
	ask := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if auth := authorization(proxy); auth != "" {
		ask += "Proxy-Authorization: " + auth + "\r\n"
	}
	if _, err := s.Write(ctx, []byte(ask+"\r\n")); err != nil {
		return err
	}
	br := bufio.NewReader(&tunnelReader{ctx, s, maxResponseHeader})
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("httpio: the proxy %s answers: %s", proxy.Host, resp.Status)
	}
	ahead, _ := br.Peek(br.Buffered())
	s.Unread(ahead)
	return nil
}

// A tunnelReader reads the answer of a proxy.
type tunnelReader struct {
	ctx  context.Context
	s    *netio.Stream
	left int
}

func (r *tunnelReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errors.New("httpio: the answer of the proxy is too long")
	}
	n, err := r.s.Read(r.ctx, p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// authorization is the credentials for a proxy that are part of its URL (RFC 7617).
func authorization(proxy *url.URL) string {
	if proxy.User == nil {
		return ""
	}
	password, _ := proxy.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password))
}
