// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"

	"baton/netio"
)

// A response is the response of a server.
type response struct {
	version string // HTTP/1.1
	status  int    // 200
	reason  string // OK
	header  textproto.MIMEHeader
	body    []byte
	last    bool // the connection cannot be reused
}

// readResponse reads a response and its body.
func readResponse(ctx context.Context, s *netio.Stream) (*response, error) {
	line, err := s.ReadLine(ctx)
	if err != nil {
		return nil, err
	}
	say("<", line)
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		return nil, fmt.Errorf("bad status line %q", line)
	}
	header, err := readHeader(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &response{version: version, status: status, reason: reason, header: header}
	r.last = version != "HTTP/1.1" || strings.EqualFold(header.Get("Connection"), "close")
	r.body, err = r.readBody(ctx, s)
	return r, err
}

// readHeader reads the fields of a header, and the empty line after them.
func readHeader(ctx context.Context, s *netio.Stream) (textproto.MIMEHeader, error) {
	header := textproto.MIMEHeader{}
	for {
		line, err := s.ReadLine(ctx)
		if err != nil {
			return nil, err
		}
		if line == "" {
			say()
			return header, nil
		}
		say("<", line)
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("bad header line %q", line)
		}
		header.Add(name, strings.TrimSpace(value))
	}
}

// readBody reads the body. The header decides what ends the body (RFC 9112, section 6.3).
func (r *response) readBody(ctx context.Context, s *netio.Stream) ([]byte, error) {
	coding, length := r.header.Get("Transfer-Encoding"), r.header.Get("Content-Length")
	switch {
	case r.status == 204 || r.status == 304:
		return nil, nil
	case strings.EqualFold(coding, "chunked"):
		return readChunks(ctx, s)
	case coding != "":
		return nil, fmt.Errorf("unknown transfer encoding %q", coding)
	case length == "":
		r.last = true
		return s.ReadAll(ctx, maxBody)
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > maxBody {
		return nil, fmt.Errorf("bad content length %q", length)
	}
	body := make([]byte, n)
	_, err = s.ReadFull(ctx, body)
	return body, err
}

// readChunks reads a chunked body. A line with its size precedes each chunk, and a line end
// follows it. The last chunk is empty, and header fields may follow it.
func readChunks(ctx context.Context, s *netio.Stream) ([]byte, error) {
	var body []byte
	for {
		line, err := s.ReadLine(ctx)
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if err != nil || n > uint64(maxBody-len(body)) {
			return nil, fmt.Errorf("bad chunk size %q", line)
		}
		if n == 0 {
			_, err := readHeader(ctx, s)
			return body, err
		}
		chunk := make([]byte, n+2)
		if _, err := s.ReadFull(ctx, chunk); err != nil {
			return nil, err
		}
		if string(chunk[n:]) != "\r\n" {
			return nil, fmt.Errorf("a chunk is not %d bytes long", n)
		}
		body = append(body, chunk[:n]...)
	}
}

// redirect returns the location of a redirect, or "".
func (r *response) redirect() string {
	switch r.status {
	case 301, 302, 303, 307, 308:
		return r.header.Get("Location")
	}
	return ""
}
