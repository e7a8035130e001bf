// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// compressed compresses answers with text for clients that accept gzip. It does not compress a
// range, because a range is a part of the file.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.Header.Get("Range") != "" || !acceptsGzip(r) {
			next.ServeHTTP(w, r)
			return
		}
		zw := &compressor{ResponseWriter: w}
		defer zw.close()
		next.ServeHTTP(zw, r)
	})
}

// acceptsGzip reports whether a client accepts gzip. It knows only the usual form of
// Accept-Encoding.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";"); coding == "gzip" {
			return strings.TrimSpace(weight) != "q=0"
		}
	}
	return false
}

// A compressor is a ResponseWriter that compresses answers with text.
type compressor struct {
	http.ResponseWriter
	decided bool
	zip     *gzip.Writer // nil if the answer is not compressed
}

// WriteHeader decides whether the answer is compressed.
func (c *compressor) WriteHeader(status int) {
	h := c.Header()
	if !c.decided && status == http.StatusOK && strings.HasPrefix(h.Get("Content-Type"), "text/") && h.Get("Content-Encoding") == "" {
		h.Del("Content-Length")
		h.Del("Accept-Ranges")
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		c.zip = gzip.NewWriter(c.ResponseWriter)
	}
	c.decided = true
	c.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the answer.
func (c *compressor) Write(p []byte) (int, error) {
	if !c.decided {
		c.WriteHeader(http.StatusOK)
	}
	if c.zip != nil {
		return c.zip.Write(p)
	}
	return c.ResponseWriter.Write(p)
}

// ReadFrom copies a file into the answer. The kernel sends the file if it can and the answer is
// not compressed.
func (c *compressor) ReadFrom(src io.Reader) (int64, error) {
	if !c.decided {
		c.WriteHeader(http.StatusOK)
	}
	if c.zip != nil {
		return io.Copy(c.zip, src)
	}
	return io.Copy(c.ResponseWriter, src)
}

// close writes the bytes that gzip has buffered. It ignores the error, because the client has
// disconnected then.
func (c *compressor) close() {
	if c.zip != nil {
		_ = c.zip.Close()
	}
}
