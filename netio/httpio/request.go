// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// malformed is the refusal of a head that http.ReadRequest does not take, or the error of
// the connection.
func malformed(err error) error {
	switch text := err.Error(); {
	case isEnd(err):
		return err
	case strings.HasPrefix(text, "unsupported transfer encoding"), strings.HasPrefix(text, "too many transfer encodings"):
		return &refusal{code: http.StatusNotImplemented, body: "Unsupported transfer encoding"}
	}
	return &refusal{code: http.StatusBadRequest}
}

// check refuses what http.ReadRequest takes and a server must not (RFC 9112). Hosts is the
// number of Host fields, which ReadRequest has removed.
func check(req *http.Request, hosts int) error {
	switch {
	case req.ProtoMajor != 1:
		return &refusal{code: http.StatusHTTPVersionNotSupported, reason: "unsupported protocol version"}
	case req.ProtoAtLeast(1, 1) && hosts == 0 && req.Method != "CONNECT":
		return &refusal{code: http.StatusBadRequest, reason: "missing required Host header"}
	case hosts == 1 && !validHost(req.Host):
		return &refusal{code: http.StatusBadRequest, reason: "malformed Host header"}
	}
	for name, values := range req.Header {
		if !validName(name) {
			return &refusal{code: http.StatusBadRequest, reason: "invalid header name"}
		}
		for _, v := range values {
			if !validValue(v) {
				return &refusal{code: http.StatusBadRequest, reason: "invalid header value"}
			}
		}
	}
	return nil
}

// validHost reports whether h has only the bytes of a host and a port (RFC 3986, section
// 3.2.2). An empty host is valid (RFC 9112, section 3.2).
func validHost(h string) bool {
	for i := range len(h) {
		if c := h[i]; !isAlnum(c) && !strings.ContainsRune("!$%&'()*+,-.:;=[]_~", rune(c)) {
			return false
		}
	}
	return true
}

// validName reports whether s is a token (RFC 9110, section 5.6.2).
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// validValue reports whether s has no control characters but tabs (RFC 9110, section 5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' }

// hasToken reports whether one of the values, which are lists, has a token, whatever its
// case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// expect is what the client does before it sends the body.
type expect uint8

const (
	noContinue    expect = iota // it sends the body at once
	wantsContinue               // it waits for the status 100
	continued                   // which was sent
)

// maxDrained is how much of a body that the handler has not read is read in its place, in
// bytes, as in package net/http. After more the connection is closed.
const maxDrained = 256 << 10

// A body is the body of a request. One goroutine at a time may use it.
type body struct {
	w      *response
	inner  io.ReadCloser
	mu     sync.Mutex // guards the rest, for a Close by another goroutine
	expect expect
	atEOF  bool
	closed bool
	err    error // what ended it for good
}

// Read reads the body. The first one asks the client for it, if the client waits for that.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	switch {
	case b.closed:
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case b.err != nil:
		b.mu.Unlock()
		return 0, b.err
	}
	ask := b.expect == wantsContinue
	if ask {
		b.expect = continued
	}
	b.mu.Unlock()
	if ask && b.w.continues() {
		if err := b.w.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return 0, err
		}
	}
	n, err := b.inner.Read(p)
	if err != nil {
		b.mu.Lock()
		b.err = err
		b.atEOF = err == io.EOF
		b.mu.Unlock()
		if b.atEOF && b.w.c.s != nil && b.w.c.atHome() {
			b.w.c.watch(b.w)
		}
	}
	return n, err
}

// Close has later Reads fail. What was not read is read, or given up, after the handler.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// drain reads the rest of the body, and reports whether that was all.
func (b *body) drain() bool {
	if b.atEOF {
		return true
	}
	if b.err != nil || b.expect == wantsContinue {
		return false
	}
	n, err := io.CopyN(io.Discard, b.inner, maxDrained+1)
	b.atEOF = errors.Is(err, io.EOF) && n <= maxDrained
	return b.atEOF
}
