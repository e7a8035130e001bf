// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"baton/netio/httpio"
	"baton/task"
)

// An answerer is a server that sends fixed bytes as its first response. Then it closes the
// connection, or answers another request properly.
type answerer struct {
	ln     net.Listener
	answer string
	stays  bool
	asked  atomic.Int32 // the number of requests
	conns  atomic.Int32
}

func newAnswerer(t *testing.T, answer string, stays bool) *answerer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &answerer{ln: ln, answer: answer, stays: stays}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			a.conns.Add(1)
			go a.serve(c)
		}
	}()
	return a
}

func (a *answerer) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if a.asked.Add(1) > 1 {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			continue
		}
		io.WriteString(c, a.answer)
		if !a.stays {
			return
		}
	}
}

// outcome describes how a client reads a response, without the texts of errors, which differ.
func outcome(ctx context.Context, rt http.RoundTripper, method, url string) string {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return "no response"
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_, writes := resp.Body.(io.Writer)
		return fmt.Sprint("101, a connection: ", writes)
	}
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%s %s %q, length %d, %v, close %t, zip %t; body %q, failed %t; trailer %q", resp.Proto, resp.Status,
		resp.Header, resp.ContentLength, resp.TransferEncoding, resp.Close, resp.Uncompressed, body, err != nil, resp.Trailer)
}

const (
	head  = "HTTP/1.1 200 OK\r\n"
	hello = "\r\n\r\nhello"
)

// zipped is "hello", compressed.
var zipped = func() string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	io.WriteString(w, "hello")
	w.Close()
	return b.String()
}()

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

// strange are unusual responses. Those with stays leave the connection open.
var strange = []struct {
	name, answer string
	stays        bool
}{
	{"nothing", "", false},
	{"an empty line", "\r\n", false},
	{"half a status line", "HTTP/1.1 20", false},
	{"a status line alone", head, false},
	{"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", false},
	{"no version", "200 OK\r\n\r\n", false},
	{"version without a minor", "HTTP/1 200 OK\r\n\r\n", false},
	{"version 2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
	{"version 1.9", "HTTP/1.9 200 OK\r\nContent-Length: 5" + hello, true},
	{"version 0.9", "HTTP/0.9 200 OK\r\nContent-Length: 5" + hello, false},
	{"a version in lower case", "http/1.1 200 OK\r\n\r\n", false},
	{"a space before the version", " HTTP/1.1 200 OK\r\n\r\n", false},
	{"two spaces before the code", "HTTP/1.1  200 OK\r\nContent-Length: 5" + hello, true},
	{"a code of two digits", "HTTP/1.1 20 OK\r\n\r\n", false},
	{"a code of four digits", "HTTP/1.1 2000 OK\r\n\r\n", false},
	{"a negative code", "HTTP/1.1 -20 OK\r\n\r\n", false},
	{"a code with a plus", "HTTP/1.1 +20 OK\r\n\r\n", false},
	{"a code of letters", "HTTP/1.1 abc OK\r\n\r\n", false},
	{"code 000", "HTTP/1.1 000 OK\r\nContent-Length: 5" + hello, true},
	{"code 999", "HTTP/1.1 999 What\r\nContent-Length: 5" + hello, true},
	{"no reason", "HTTP/1.1 200\r\nContent-Length: 5" + hello, true},
	{"a zero byte in the reason", "HTTP/1.1 200 O\x00K\r\nContent-Length: 5" + hello, true},
	{"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", true},
	{"a bare carriage return", "HTTP/1.1 200 OK\rContent-Length: 5\r\r", false},
	{"no colon", head + "what\r\n\r\n", false},
	{"an empty name", head + ": x\r\n\r\n", false},
	{"a space in a name", head + "a b: x\r\nContent-Length: 5" + hello, true},
	{"a space before the colon", head + "Content-Length : 5" + hello, false},
	{"a name that is no token", head + "a@b: x\r\nContent-Length: 5" + hello, true},
	{"a zero byte in a value", head + "A: x\x00y\r\nContent-Length: 5" + hello, false},
	{"a carriage return in a value", head + "A: x\ry\r\nContent-Length: 5" + hello, false},
	{"folding", head + "A: x\r\n y\r\nContent-Length: 5" + hello, true},
	{"folding in the first line", head + " A: x\r\nContent-Length: 5" + hello, false},
	{"a folded length", head + "Content-Length:\r\n 5" + hello, true},
	{"equal lengths", head + "Content-Length: 5\r\nContent-Length: 5" + hello, true},
	{"differing lengths", head + "Content-Length: 5\r\nContent-Length: 6" + hello, false},
	{"lengths in a list", head + "Content-Length: 5, 5" + hello, false},
	{"a length with a plus", head + "Content-Length: +5" + hello, false},
	{"a negative length", head + "Content-Length: -5" + hello, false},
	{"a length of letters", head + "Content-Length: five" + hello, false},
	{"a length in hexadecimal", head + "Content-Length: 0x5" + hello, false},
	{"an empty length", head + "Content-Length:" + hello, false},
	{"a length beyond 64 bits", head + "Content-Length: 99999999999999999999" + hello, false},
	{"a length with spaces", head + "Content-Length:   5  " + hello, true},
	{"a body that is too short", head + "Content-Length: 6" + hello, false},
	{"a body that is too long", head + "Content-Length: 4" + hello, false},
	{"no length, ended by close", head + "A: b" + hello, false},
	{"an old answer", "HTTP/1.0 200 OK\r\nContent-Length: 5" + hello, false},
	{"an old answer that is kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5" + hello, true},
	{"close in a list", head + "Connection: x, ClosE\r\nContent-Length: 5" + hello, true},
	{"close and keep-alive", head + "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 5" + hello, true},
	{"chunks", head + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", true},
	{"chunks in capitals", head + "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
	{"chunks in an old answer", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
	{"chunks and a length", head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
	{"chunks and a bad length", head + "Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
	{"chunks twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
	{"chunks of another coding", head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", false},
	{"identity", head + "Transfer-Encoding: identity\r\nContent-Length: 5" + hello, false},
	{"an unknown coding", head + "Transfer-Encoding: xchunked\r\nContent-Length: 5" + hello, false},
	{"a coding with a tab", head + "Transfer-Encoding: \tchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
	{"a coding with a control byte", head + "Transfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
	{"chunks with an extension", head + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n", true},
	{"a chunk of no number", head + "Transfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n", false},
	{"a chunk with a sign", head + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", false},
	{"a chunk in 0x", head + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", false},
	{"a chunk beyond 64 bits", head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", false},
	{"a chunk that is too long", head + "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", false},
	{"a chunk that is cut", head + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", false},
	{"no last chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false},
	{"no end of the last chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", false},
	{"chunks with bare line feeds", head + "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", false},
	{"an endless extension", head + "Transfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("a", 20_000) + "\r\nhello\r\n0\r\n\r\n", false},
	{"a trailer", head + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", true},
	{"a trailer that was not declared", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", true},
	{"a trailer that is cut", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n", false},
	{"a trailer that is a length", head + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
	{"a trailer without a colon", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nwhat\r\n\r\n", false},
	{"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", true},
	{"204 with chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", true},
	{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true},
	{"100 first", "HTTP/1.1 100 Continue\r\n\r\n" + head + "Content-Length: 5" + hello, true},
	{"103 first, twice", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 2) + head + "Content-Length: 5" + hello, true},
	{"199 with a length", "HTTP/1.1 199 What\r\nContent-Length: 5\r\n\r\n" + head + "Content-Length: 5" + hello, true},
	{"100 too often", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100_000) + head + "Content-Length: 5" + hello, false},
	{"unrequested 101", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", true},
	{"101 to nothing", "HTTP/1.1 101 Switching\r\n\r\n", true},
	{"a head that is too long", head + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 2000) + "\r\n", false},
	{"a line that is too long", head + "A: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", false},
	{"a status line that is too long", "HTTP/1.1 200 " + strings.Repeat("x", 2<<20) + "\r\n\r\n", false},
	{"many fields", head + strings.Repeat("A: x\r\n", 5000) + "Content-Length: 5" + hello, true},
	{"gzip that is none", head + "Content-Encoding: gzip\r\nContent-Length: 5" + hello, false},
	{"gzip that is empty", head + "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", true},
	{"gzip with a cut head", head + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", false},
	{"gzip", head + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(zipped) + "0\r\n\r\n", true},
	{"gzip with a length", head + "Content-Encoding: GZIP\r\nContent-Length: " + strconv.Itoa(len(zipped)) + "\r\n\r\n" + zipped, true},
	{"gzip twice in a row", head + "Content-Encoding: gzip\r\n\r\n" + zipped + zipped, false},
	{"gzip that is cut", head + "Content-Encoding: gzip\r\n\r\n" + zipped[:len(zipped)-1], false},
	{"gzip with a tail", head + "Content-Encoding: gzip\r\n\r\n" + zipped + "tail", false},
	{"gzip with a wrong sum", head + "Content-Encoding: gzip\r\n\r\n" + zipped[:len(zipped)-8] + "12345678", false},
	{"gzip in chunks that are cut", head + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(zipped), false},
	{"another compression", head + "Content-Encoding: br\r\nContent-Length: 5" + hello, true},
}

// Each strange response is read as http.Transport reads it, and its connection is kept in the same
// cases.
func TestStrangeResponsesAreReadAsByNetHTTP(t *testing.T) {
	log.SetOutput(io.Discard) // http.Transport logs bytes behind a response
	defer log.SetOutput(os.Stderr)
	for _, c := range strange {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(method+"/"+c.name, func(t *testing.T) {
				theirs, ours := newAnswerer(t, c.answer, c.stays), newAnswerer(t, c.answer, c.stays)
				defer theirs.ln.Close()
				defer ours.ln.Close()
				std := &http.Transport{MaxResponseHeaderBytes: 1 << 20}
				defer std.CloseIdleConnections()
				want := outcome(t.Context(), std, method, "http://"+theirs.ln.Addr().String())
				got := ""
				err := task.Run(t.Context(), func(ctx context.Context) error {
					tr := &httpio.Transport{}
					defer tr.CloseIdleConnections()
					url := "http://" + ours.ln.Addr().String()
					got = outcome(ctx, tr, method, url)
					if c.stays && method == "GET" { // a body after HEAD races with the next request
						want += outcome(t.Context(), std, method, "http://"+theirs.ln.Addr().String())
						got += outcome(ctx, tr, method, url)
						want += fmt.Sprint(theirs.conns.Load())
						got += fmt.Sprint(ours.conns.Load())
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}
