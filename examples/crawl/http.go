// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"baton/netio"
)

// What a message may have at most. A line is bounded by the stream.
const (
	maxInterim = 10       // responses before the answer
	maxFields  = 100      // of a head
	maxBody    = 16 << 20 // bytes
)

// errProtocol is what errors.Is finds when the peer does not speak HTTP/1.1
// (RFC 9112) as we know it.
var errProtocol = errors.New("bad HTTP")

// A response is what a server answers.
type response struct {
	Status int
	Header textproto.MIMEHeader
	Body   []byte
	Close  bool // the connection is not for another request
}

// roundTrip sends a request for u and reads the response.
func roundTrip(ctx context.Context, s *netio.Stream, u *url.URL) (*response, error) {
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: baton-crawl\r\nAccept: */*\r\n\r\n",
		u.RequestURI(), u.Host)
	if _, err := s.Write(ctx, []byte(request)); err != nil {
		return nil, err
	}
	return readResponse(ctx, s)
}

// readResponse reads the answer to a GET, to its end.
//
// It is for readers of this program: a server that means harm can still make it
// hold maxBody bytes for every task.
func readResponse(ctx context.Context, s *netio.Stream) (*response, error) {
	for range maxInterim + 1 {
		res, err := readStatus(ctx, s)
		if err != nil {
			return nil, err
		}
		if res.Status >= 200 { // below, it is not the answer yet (RFC 9110, 15.2)
			return res, res.readBody(ctx, s)
		}
	}
	return nil, fmt.Errorf("%w: more than %d interim responses", errProtocol, maxInterim)
}

// readStatus reads the head of a response.
func readStatus(ctx context.Context, s *netio.Stream) (*response, error) {
	first, header, err := readHead(ctx, s)
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(first, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(code) != 3 {
		return nil, fmt.Errorf("%w: status line %.40q", errProtocol, first)
	}
	last := version == "HTTP/1.0" || strings.EqualFold(header.Get("Connection"), "close")
	return &response{Status: status, Header: header, Close: last}, nil
}

// readBody reads the body that follows the head. How long it is, is decided in
// the order of RFC 9112, 6.3: some statuses never have one, a transfer coding
// outranks a length, and without either it ends with the connection, which then
// cannot be used again. We ask for no coding, so that only chunks are left.
func (r *response) readBody(ctx context.Context, s *netio.Stream) (err error) {
	coding := strings.Join(r.Header.Values("Transfer-Encoding"), ", ")
	length := r.Header.Get("Content-Length")
	switch {
	case r.Status == 204 || r.Status == 304:
	case strings.EqualFold(coding, "chunked"):
		r.Body, err = readChunks(ctx, s)
	case coding != "":
		err = fmt.Errorf("%w: transfer coding %.40q", errProtocol, coding)
	case length != "":
		r.Body, err = readCounted(ctx, s, length)
	default:
		r.Close = true
		r.Body, err = readRest(ctx, s)
	}
	return err
}

// readHead reads the first line and the fields of a message. A stream that ends
// before the first line is io.EOF.
func readHead(ctx context.Context, s *netio.Stream) (first string, header textproto.MIMEHeader, err error) {
	first, err = s.ReadLine(ctx)
	if err != nil {
		return "", nil, err
	}
	header, err = readFields(ctx, s)
	return first, header, early(err)
}

// readFields reads the fields of a head, or of the trailer behind chunks, with
// the empty line that ends them. A field that is folded over two lines, or has
// white space in its name, is an error (RFC 9112, 5.1 and 5.2): peers that guess
// differently what it means can be played off against each other.
func readFields(ctx context.Context, s *netio.Stream) (textproto.MIMEHeader, error) {
	header := textproto.MIMEHeader{}
	for range maxFields {
		line, err := s.ReadLine(ctx)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return header, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%w: field %.40q", errProtocol, line)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return nil, fmt.Errorf("%w: more than %d fields", errProtocol, maxFields)
}

// readCounted reads a body of so many bytes. The bound comes before the memory.
func readCounted(ctx context.Context, s *netio.Stream, length string) ([]byte, error) {
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return nil, fmt.Errorf("%w: content length %.40q", errProtocol, length)
	}
	if n > maxBody {
		return nil, fmt.Errorf("%w: a body of more than %d bytes", errProtocol, maxBody)
	}
	body := make([]byte, n)
	_, err = s.ReadFull(ctx, body)
	return body, early(err)
}

// readChunks reads a chunked body (RFC 9112, 7.1), and with it the line end behind
// each chunk, which is not part of it. Extensions and the trailer are dropped.
func readChunks(ctx context.Context, s *netio.Stream) ([]byte, error) {
	var body bytes.Buffer
	for {
		line, err := s.ReadLine(ctx)
		if err != nil {
			return nil, early(err)
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: chunk size %.40q", errProtocol, line)
		case n > uint64(maxBody-body.Len()): // the sum may be more than an int holds
			return nil, fmt.Errorf("%w: a body of more than %d bytes", errProtocol, maxBody)
		case n == 0:
			_, err := readFields(ctx, s)
			return body.Bytes(), early(err)
		}
		chunk := make([]byte, n+2) // with the line end behind it
		if _, err := s.ReadFull(ctx, chunk); err != nil {
			return nil, early(err)
		}
		if string(chunk[n:]) != "\r\n" {
			return nil, fmt.Errorf("%w: a chunk is longer than its size", errProtocol)
		}
		body.Write(chunk[:n])
	}
}

// readRest reads a body that ends with the connection.
func readRest(ctx context.Context, s *netio.Stream) ([]byte, error) {
	var body bytes.Buffer
	buf := make([]byte, 4096)
	for body.Len() <= maxBody {
		n, err := s.Read(ctx, buf)
		body.Write(buf[:n])
		if err == io.EOF {
			return body.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: a body of more than %d bytes", errProtocol, maxBody)
}

// early is err inside a message, where no end is expected.
func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// media returns the media type and the charset of the body, as the server says.
// A "-" stands for a charset that it leaves open.
func (r *response) media() (kind, charset string) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "unknown", "-"
	}
	if charset = params["charset"]; charset == "" {
		charset = "-"
	}
	return kind, charset
}

// location returns where a redirect leads to, and nil for other responses. A
// redirect that does not say where to counts as any other response.
func (r *response) location(from *url.URL) *url.URL {
	switch r.Status {
	case 301, 302, 303, 307, 308:
		to, err := from.Parse(r.Header.Get("Location"))
		if err == nil && r.Header.Get("Location") != "" {
			return clean(to)
		}
	}
	return nil
}
