// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// behaviours are handlers, chosen by the query.
func behaviours(w http.ResponseWriter, r *http.Request) {
	switch r.URL.RawQuery {
	case "part":
		b := make([]byte, 3)
		n, err := io.ReadFull(r.Body, b)
		fmt.Fprintf(w, "%q %v", b[:n], err)
	case "late":
		io.WriteString(w, "first ")
		dump(w, r)
	case "flush":
		w.(http.Flusher).Flush()
		dump(w, r)
	case "closed":
		_ = r.Body.Close() // net/http reads the rest here, and returns its error; this server reads it later
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q %v", b, err)
	case "long":
		w.Write(bytes.Repeat([]byte("x"), 5000))
		dump(w, r)
	case "none":
		w.WriteHeader(http.StatusNoContent)
	case "echo":
		for name, values := range r.Header {
			w.Header()[name] = values
		}
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	case "trailer":
		w.Header().Set("Trailer", r.Header.Get("X"))
		dump(w, r)
		w.Header().Set(r.Header.Get("X"), r.Header.Get("Y"))
	case "abort":
		io.WriteString(w, "some")
		w.(http.Flusher).Flush()
		io.WriteString(w, "more")
		panic(http.ErrAbortHandler)
	default:
		dump(w, r)
	}
}

// fuzzDecided returns why the responses to sent may differ, or "".
func fuzzDecided(sent string) string {
	switch {
	case strings.Contains(sent, "PRI * HTTP/2.0"):
		return "this server refuses the preface of HTTP/2, which net/http passes to the handler"
	}
	return ""
}

// Both servers read any bytes of a client in the same way.
func FuzzServerReadsAsNetHTTP(f *testing.F) {
	for _, test := range hostile {
		if len(test.sent) < 5000 {
			f.Add(test.sent + next)
		}
	}
	f.Add("T /?flush HTTP/1.1\nHost:\nTransfer-Encoding:chunked\n\n5\r\nhello\r\n0\r\n")
	f.Add("T /?closed HTTP/1.1\nHost:\nTransfer-Encoding:chunked\n\n")
	f.Add("T / HTTP/1.1\nHost:\n\n\x88")
	for _, does := range []string{"part", "late", "flush", "closed", "long", "none", "echo", "trailer", "abort"} {
		for _, version := range []string{"1.0", "1.1"} {
			for _, how := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
				"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "Connection: keep-alive\r\nX: X-End\r\nY: z\r\n\r\n"} {
				f.Add("POST /?" + does + " HTTP/" + version + "\r\nHost: a\r\n" + how + next)
			}
		}
	}
	h := http.HandlerFunc(behaviours)
	r := newRig(f, h, h)
	f.Fuzz(func(t *testing.T, sent string) {
		if fuzzDecided(sent) != "" {
			return
		}
		if ours, theirs := r.ours(sent), r.theirs(sent); ours != theirs && unordered(ours) != unordered(theirs) && !changed(sent) {
			t.Errorf("sent   %.600q\nours   %.600q\ntheirs %.600q", sent, ours, theirs)
		}
	})
}

// invalid are the refusals of a head with an invalid name and an invalid value. Which one is found
// first depends on the order of a map.
var invalid = regexp.MustCompile(`invalid header (name|value)`)

func unordered(answer string) string { return invalid.ReplaceAllString(answer, "invalid header") }
