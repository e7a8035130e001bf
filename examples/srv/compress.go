// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// compressed compresses answers that are text for clients that take gzip. A range is a part
// of the file as it is, so such an answer is left alone.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.Header.Get("Range") != "" || !takesGzip(r) {
			next.ServeHTTP(w, r)
			return
		}
		zw := &compressor{ResponseWriter: w}
		defer zw.close()
		next.ServeHTTP(zw, r)
	})
}

// takesGzip reports whether a client takes gzip, in the usual form of that.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";"); coding == "gzip" {
			return strings.TrimSpace(weight) != "q=0"
		}
	}
	return false
}

// A compressor is a ResponseWriter that compresses if the answer is text.
type compressor struct {
	http.ResponseWriter
	decided bool
	zip     *gzip.Writer // or nil
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

// ReadFrom copies a file into the answer: as it is, if the server can send it so.
func (c *compressor) ReadFrom(src io.Reader) (int64, error) {
	if !c.decided {
		c.WriteHeader(http.StatusOK)
	}
	if c.zip != nil {
		return io.Copy(c.zip, src)
	}
	return io.Copy(c.ResponseWriter, src)
}

// close writes what gzip holds back. An error is that of the client, which has gone.
func (c *compressor) close() {
	if c.zip != nil {
		_ = c.zip.Close()
	}
}
