// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
)

// keptBytes is how much memory for heads a connection keeps between requests, in bytes.
const keptBytes = 1 << 10

// readHead reads the head of a request with http.ReadRequest. It refuses requests that ReadRequest
// accepts and that a server must not accept.
func (c *conn) readHead() (*http.Request, error) {
	if c.br == nil {
		c.br = readers.Get().(*bufio.Reader)
		c.br.Reset((*connReader)(c))
	}
	h := &c.head
	*h = headScanner{left: c.srv.maxHeaderBytes() + headerSlop, limited: true, value: h.value[:0], part: h.part[:0]}
	if c.readBefore { // fewer than four bytes are no request and get no response
		ahead, err := c.br.Peek(4)
		if err != nil {
			return nil, err
		}
		if c.afterPost { // some clients send an empty line after a body
			_, _ = c.br.Discard(len(ahead) - len(bytes.TrimLeft(ahead, "\r\n")))
		}
	}
	c.readBefore, c.afterPost = true, false
	ahead, _ := c.br.Peek(c.br.Buffered())
	h.scanning = true
	h.scan(ahead)
	req, err := http.ReadRequest(c.br)
	h.scanning, h.limited = false, false
	if err == nil {
		err = c.check(req)
	} else if h.left <= 0 {
		err = &refusal{code: http.StatusRequestHeaderFieldsTooLarge}
	} else {
		err = malformed(err)
	}
	if cap(h.value)+cap(h.part) > keptBytes { // an idle connection keeps no long head
		h.value, h.part = nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.afterPost = req.Method == "POST"
	return req, nil
}

// malformed returns the refusal for err, an error of http.ReadRequest. If err is an error of the
// connection, it returns err.
func malformed(err error) error {
	switch text := err.Error(); {
	case isEnd(err):
		return err
	case strings.HasPrefix(text, "unsupported transfer encoding"), strings.HasPrefix(text, "too many transfer encodings"):
		return &refusal{code: http.StatusNotImplemented, body: "Unsupported transfer encoding"}
	}
	return &refusal{code: http.StatusBadRequest}
}

// A connReader is the io.Reader from which the reader of a conn reads.
type connReader conn

func (r *connReader) Read(p []byte) (int, error) {
	h := &r.head
	if h.limited {
		if h.left <= 0 {
			return 0, io.EOF
		}
		p = p[:min(len(p), h.left)]
	}
	n, err := r.nc.Read(p)
	h.left -= n
	if h.scanning {
		h.scan(p[:n])
	}
	return n, err
}

// A headScanner finds the Host field in the bytes that http.ReadRequest reads. ReadRequest deletes
// the field, so an absent Host looks like an empty one. If the target has a host, the value of the
// field is lost. ReadRequest refuses a head with two Host fields.
type headScanner struct {
	left     int  // how many bytes the head may still have
	limited  bool // left is in effect
	scanning bool // the head has not ended
	lines    int  // number of lines so far
	inHost   bool // the last line was the Host field; a folded line may continue it
	hasHost  bool
	value    []byte // of the Host field
	part     []byte // the beginning of a line that has not ended
}

// scan takes the next bytes of the head.
func (h *headScanner) scan(p []byte) {
	for h.scanning {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			h.part = append(h.part, p...)
			return
		}
		if len(h.part) == 0 {
			h.line(p[:i])
		} else {
			h.part = append(h.part, p[:i]...)
			h.line(h.part)
			h.part = h.part[:0]
		}
		p = p[i+1:]
	}
}

// line takes a line without its LF. It may end in CR.
func (h *headScanner) line(line []byte) {
	h.lines++
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case h.lines == 1: // the request line
	case len(line) == 0:
		h.scanning = false
	case line[0] == ' ' || line[0] == '\t': // a folded line
		if h.inHost {
			h.value = append(append(h.value, ' '), bytes.Trim(line, " \t")...)
		}
	case len(line) >= 5 && line[4] == ':' && bytes.EqualFold(line[:4], []byte("host")):
		h.inHost, h.hasHost = true, true
		h.value = append(h.value[:0], bytes.Trim(line[5:], " \t")...)
	default:
		h.inHost = false
	}
}
