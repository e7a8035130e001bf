// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// heldBytes is how much of an answer waits for the handler's end: a shorter one gets a
	// Content-Length. It is that of package net/http.
	heldBytes = 2048

	// outBytes is when what was written is sent.
	outBytes = 4096
)

// outBuffers are those of answers at work.
var outBuffers = sync.Pool{New: func() any { return new(outBuffer) }}

// An outBuffer is the memory of an answer.
type outBuffer struct {
	out  [2 * outBytes]byte
	held [heldBytes]byte
}

// A response is an http.ResponseWriter. It may be used by every goroutine, by one at a time.
type response struct {
	c      *conn
	req    *http.Request
	body   body
	header http.Header // the handler's

	status   int         // 0 before WriteHeader
	sent     http.Header // the header as it was at WriteHeader
	length   int64       // what the handler has declared; -1 if it has not
	written  int64       // bytes of the handler
	held     []byte      // written, and not in out yet
	out      []byte      // to be sent
	outBuf   *outBuffer
	begun    bool // the head is in out, or sent
	chunked  bool
	done     bool // the handler has returned
	hijacked bool

	wants10    bool // an HTTP/1.0 client that wants to keep the connection
	closeAfter bool
	fullDuplex bool
	err        error // of the connection
}

func newResponse(c *conn, req *http.Request) *response {
	w := &response{c: c, req: req, header: make(http.Header), length: -1}
	w.body = body{w: w, inner: req.Body}
	switch {
	case req.ContentLength == 0:
		w.body.atEOF, w.body.err = true, io.EOF
	case req.ProtoAtLeast(1, 1) && hasToken(req.Header["Expect"], "100-continue"):
		w.body.expect = wantsContinue
	}
	req.Body = &w.body
	w.wants10 = req.ProtoMajor == 1 && req.ProtoMinor == 0 && hasToken(req.Header["Connection"], "keep-alive")
	return w
}

// Header returns the header of the answer.
func (w *response) Header() http.Header { return w.header }

// WriteHeader decides the status and the header. A status below 200 is sent at once, and
// another one follows.
func (w *response) WriteHeader(code int) {
	switch {
	case w.hijacked:
		w.c.logf("http: response.WriteHeader on hijacked connection")
		return
	case w.status != 0:
		w.c.logf("http: superfluous response.WriteHeader call")
		return
	case code < 100 || code > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	case code >= 100 && code < 200 && code != http.StatusSwitchingProtocols:
		w.inform(code)
		return
	}
	w.status = code
	w.sent = w.header.Clone()
	if text := w.sent.Get("Content-Length"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && n >= 0 {
			w.length = n
		} else {
			w.c.logf("http: invalid Content-Length of %q", text)
			w.sent.Del("Content-Length")
		}
	}
}

// inform sends an answer that is not the last one.
func (w *response) inform(code int) {
	if code == http.StatusContinue {
		w.body.mu.Lock()
		if w.body.expect == wantsContinue {
			w.body.expect = continued
		}
		w.body.mu.Unlock()
	}
	if !w.req.ProtoAtLeast(1, 1) {
		return
	}
	w.room()
	w.statusLine(code)
	w.fields(w.header, nil)
	w.out = append(w.out, "\r\n"...)
	w.flush()
}

// continues reports whether the status 100 may still be sent.
func (w *response) continues() bool { return !w.begun && !w.hijacked }

// Write sends p, or holds it for a moment.
func (w *response) Write(p []byte) (int, error) { return write(w, p) }

// WriteString is Write for a string.
func (w *response) WriteString(s string) (int, error) { return write(w, s) }

func write[S []byte | string](w *response, p S) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.written += int64(len(p))
	switch {
	case len(p) == 0:
		return 0, nil
	case !bodyAllowed(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written > w.length:
		return 0, http.ErrContentLength
	}
	n := len(p)
	w.room()
	for len(p) > heldBytes-len(w.held) {
		if len(w.held) == 0 {
			w.emit([]byte(p))
			return n, w.err
		}
		k := heldBytes - len(w.held)
		w.held = append(w.held, p[:k]...)
		w.emit(w.held)
		w.held, p = w.held[:0], p[k:]
	}
	w.held = append(w.held, p...)
	return n, w.err
}

// emit sends a piece of the body, behind the head.
func (w *response) emit(p []byte) {
	if !w.begun {
		w.begin(p)
	}
	w.piece(p)
}

// piece adds bytes of the body to what is sent.
func (w *response) piece(p []byte) {
	n := len(p)
	if n == 0 || w.req.Method == "HEAD" || w.err != nil {
		return
	}
	if w.chunked {
		w.out = strconv.AppendInt(w.out, int64(n), 16)
		w.out = append(w.out, "\r\n"...)
	}
	if n >= outBytes {
		w.note(w.c.write(w.out, p))
		w.out = w.out[:0]
	} else {
		w.out = append(w.out, p...)
	}
	if w.chunked {
		w.out = append(w.out, "\r\n"...)
	}
	if len(w.out) >= outBytes {
		w.flush()
	}
}

// Flush sends what was written.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush, for http.ResponseController.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun || len(w.held) > 0 {
		w.emit(w.held)
		w.held = w.held[:0]
	}
	w.flush()
	return w.err
}

func (w *response) flush() {
	if len(w.out) > 0 && w.err == nil {
		w.note(w.c.write(w.out))
	}
	w.out = w.out[:0]
}

// room gives out memory.
func (w *response) room() {
	if w.outBuf == nil {
		w.outBuf = outBuffers.Get().(*outBuffer)
		w.out, w.held = w.outBuf.out[:0], w.outBuf.held[:0]
	}
}

func (w *response) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// finish is the end of an answer: the handler has returned.
func (w *response) finish() {
	w.done = true
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun || len(w.held) > 0 {
		w.emit(w.held)
		w.held = w.held[:0]
	}
	if w.chunked && w.req.Method != "HEAD" {
		w.out = append(w.out, "0\r\n"...)
		w.trailers()
		w.out = append(w.out, "\r\n"...)
	}
	w.flush()
	if w.req.Method != "HEAD" && bodyAllowed(w.status) && w.length >= 0 && w.written != w.length {
		w.closeAfter = true // the client waits for the rest
	}
	if !w.closeAfter && !w.body.drain() {
		w.closeAfter = true
	}
	if w.closeAfter && !w.body.atEOF {
		w.c.lingering = true
	}
	if w.req.MultipartForm != nil {
		_ = w.req.MultipartForm.RemoveAll()
	}
	if w.outBuf != nil {
		outBuffers.Put(w.outBuf)
		w.out, w.held, w.outBuf = nil, nil, nil
	}
}

// begin decides how the answer is framed, and puts its head into out. Start is the
// beginning of the body, of which the type is guessed.
func (w *response) begin(start []byte) {
	w.begun = true
	w.room()
	h := w.sent
	encoding, hasEncoding := first(h["Transfer-Encoding"])
	hasTrailers := w.hasTrailers()
	extra := extras{date: h["Date"] == nil}
	if w.done && !hasTrailers && !hasEncoding && bodyAllowed(w.status) && h["Content-Length"] == nil &&
		(w.req.Method != "HEAD" || len(start) > 0) {
		w.length = int64(len(start))
		extra.length = true
	}
	w.decideClose(h, &extra)
	if !w.closeAfter && !w.fullDuplex && !w.body.drain() {
		w.closeAfter = true
	}
	drop := map[string]bool{}
	switch {
	case !bodyAllowed(w.status):
		for _, name := range suppressed(w.status) {
			drop[name] = true
		}
	case h["Content-Type"] == nil && h.Get("Content-Encoding") == "" && !hasEncoding && len(start) > 0:
		extra.contentType = http.DetectContentType(start)
	}
	switch {
	case w.req.Method == "HEAD" || !bodyAllowed(w.status) || w.length >= 0 && (!hasEncoding || encoding == "identity"):
		drop["Transfer-Encoding"] = true
	case !w.req.ProtoAtLeast(1, 1) || encoding == "identity":
		w.closeAfter = true
		drop["Transfer-Encoding"] = true
	default:
		w.chunked = true
		drop["Content-Length"] = true
		drop["Transfer-Encoding"] = encoding == "chunked"
	}
	if w.closeAfter && !(w.status == http.StatusSwitchingProtocols && h.Get("Upgrade") != "") &&
		(w.c.srv.DisableKeepAlives || !hasToken(h["Connection"], "close")) {
		drop["Connection"] = true
		if w.req.ProtoAtLeast(1, 1) {
			extra.connection = "close"
		}
	}
	w.statusLine(w.status)
	w.fields(h, drop)
	w.extra(extra)
	w.out = append(w.out, "\r\n"...)
}

// extras are fields that the handler has not set.
type extras struct {
	length, date            bool
	connection, contentType string
}

// decideClose decides whether the connection ends after the answer.
func (w *response) decideClose(h http.Header, extra *extras) {
	keep := !w.c.srv.DisableKeepAlives && !w.c.isDraining()
	if w.wants10 && keep && h.Get("Content-Length") != "" && h.Get("Connection") == "keep-alive" {
		w.closeAfter = false
	}
	if w.wants10 && (w.req.Method == "HEAD" || w.length >= 0 || !bodyAllowed(w.status)) {
		if h["Connection"] == nil {
			extra.connection = "keep-alive"
		}
	} else if !w.req.ProtoAtLeast(1, 1) || w.req.Close || hasToken(w.req.Header["Connection"], "close") {
		w.closeAfter = true
	}
	if h.Get("Connection") == "close" || !keep {
		w.closeAfter = true
	}
	if w.body.expect != noContinue && !w.body.atEOF {
		w.closeAfter = true
	}
}

func (w *response) statusLine(code int) {
	version := "HTTP/1.1 "
	if !w.req.ProtoAtLeast(1, 1) {
		version = "HTTP/1.0 "
	}
	w.out = append(w.out, version...)
	w.out = strconv.AppendInt(w.out, int64(code), 10)
	text := http.StatusText(code)
	if text == "" {
		text = "status code " + strconv.Itoa(code)
	}
	w.out = append(append(append(w.out, ' '), text...), "\r\n"...)
}

// fields appends a header, in the order of the names, so that answers can be replayed.
func (w *response) fields(h http.Header, drop map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if drop[name] || !validName(name) || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, v := range h[name] {
			w.field(name, v)
		}
	}
}

// newlines keeps a value from ending its line.
var newlines = strings.NewReplacer("\n", " ", "\r", " ")

func (w *response) field(name, value string) {
	value = strings.Trim(newlines.Replace(value), " \t")
	w.out = append(append(append(append(w.out, name...), ": "...), value...), "\r\n"...)
}

func (w *response) extra(e extras) {
	if e.date {
		w.out = append(w.out, "Date: "...)
		w.out = w.c.clock.Now().UTC().AppendFormat(w.out, http.TimeFormat)
		w.out = append(w.out, "\r\n"...)
	}
	if e.length {
		w.field("Content-Length", strconv.FormatInt(w.length, 10))
	}
	if e.contentType != "" {
		w.field("Content-Type", e.contentType)
	}
	if e.connection != "" {
		w.field("Connection", e.connection)
	}
	if w.chunked {
		w.field("Transfer-Encoding", "chunked")
	}
}

// hasTrailers reports whether the handler has declared trailers.
func (w *response) hasTrailers() bool {
	if len(w.sent["Trailer"]) > 0 {
		return true
	}
	for name := range w.sent {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// trailers appends the trailers that the handler has set.
func (w *response) trailers() {
	t := make(http.Header)
	for _, v := range w.sent["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			switch name {
			case "Transfer-Encoding", "Content-Length", "Trailer":
			default:
				if values := w.header[name]; values != nil {
					t[name] = values
				}
			}
		}
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			t[http.CanonicalHeaderKey(name)] = values
		}
	}
	w.fields(t, nil)
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	w.c.deadline = t
	return w.c.nc.SetReadDeadline(t)
}

func (w *response) SetWriteDeadline(t time.Time) error {
	w.c.timed = true
	return w.c.nc.SetWriteDeadline(t)
}

func (w *response) EnableFullDuplex() error {
	w.fullDuplex = true
	return nil
}

// Hijack gives the connection to the handler, which must close it.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if w.status != 0 { // some libraries write the status 101 first
		w.done = true
		_ = w.FlushError()
	}
	w.hijacked = true
	return w.c.hijack()
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// suppressed are the fields that an answer without a body must not have.
func suppressed(status int) []string {
	if status == http.StatusNotModified {
		return []string{"Content-Type", "Content-Length", "Transfer-Encoding"}
	}
	return []string{"Content-Length", "Transfer-Encoding"}
}

func first(values []string) (string, bool) {
	if len(values) == 0 || values[0] == "" {
		return "", false
	}
	return values[0], true
}
