// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A field is a field of a header. An unsent field is a name without values in the handler's header:
// it is not sent, and the server adds no default for it.
type field struct {
	name, value string
	unsent      bool
}

// fields are a header, sorted by name, so that a replay gives the same bytes.
type fields []field

// snapshot appends the fields of h to fs, and sorts them.
func snapshot(fs fields, h http.Header) fields {
	for name, values := range h {
		for _, v := range values {
			fs = append(fs, field{name: name, value: v})
		}
		if len(values) == 0 {
			fs = append(fs, field{name: name, unsent: true})
		}
	}
	slices.SortStableFunc(fs, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	return fs
}

// get returns the first value of a field.
func (fs fields) get(name string) string {
	for i := range fs {
		if fs[i].name == name {
			return fs[i].value
		}
	}
	return ""
}

func (fs fields) has(name string) bool {
	return slices.ContainsFunc(fs, func(f field) bool { return f.name == name })
}

// drop removes a field.
func (fs fields) drop(name string) {
	for i := range fs {
		if fs[i].name == name {
			fs[i] = field{unsent: true}
		}
	}
}

// hasTrailers reports whether the handler has declared trailers.
func (fs fields) hasTrailers() bool {
	return slices.ContainsFunc(fs, func(f field) bool {
		return f.name == "Trailer" && !f.unsent || strings.HasPrefix(f.name, http.TrailerPrefix)
	})
}

// begin decides how the response is framed, and appends its head to out. Start is the beginning of
// the body, from which begin guesses the Content-Type.
func (w *response) begin(start []byte) {
	w.begun = true
	h := w.sent
	isHead, allowed := w.req.Method == "HEAD", bodyAllowed(w.status)
	encoding := h.get("Transfer-Encoding")
	hasEncoding := encoding != ""
	hasTrailers := h.hasTrailers()
	extra := extras{date: !h.has("Date")}
	if w.handlerDone && !hasTrailers && !hasEncoding && allowed && !h.has("Content-Length") && (!isHead || len(start) > 0) {
		w.length = int64(len(start))
		extra.length = true
	}
	w.decideClose(&extra)
	if !w.closeAfter && !w.fullDuplex && !w.body.drain() {
		w.closeAfter = true
	}
	switch {
	case w.status == http.StatusNotModified:
		h.drop("Content-Type")
		fallthrough
	case !allowed:
		h.drop("Content-Length")
		h.drop("Transfer-Encoding")
	case !h.has("Content-Type") && h.get("Content-Encoding") == "" && !hasEncoding && len(start) > 0:
		extra.contentType = http.DetectContentType(start)
	}
	switch {
	case isHead || !allowed || w.length >= 0 && (!hasEncoding || encoding == "identity"):
		h.drop("Transfer-Encoding")
	case !w.req.ProtoAtLeast(1, 1) || encoding == "identity":
		w.closeAfter = true
		h.drop("Transfer-Encoding")
	default:
		w.chunked = true
		h.drop("Content-Length")
		if encoding == "chunked" {
			h.drop("Transfer-Encoding")
		}
	}
	w.trailer = h.list("Trailer")
	switched := w.status == http.StatusSwitchingProtocols && h.get("Upgrade") != ""
	if w.closeAfter && !switched && (w.noKeep || !isListed(h.get("Connection"), "close")) {
		h.drop("Connection")
		if w.req.ProtoAtLeast(1, 1) {
			extra.connection = "close"
		}
	}
	w.statusLine(w.status)
	w.fields(h)
	w.extra(extra)
	w.out = append(w.out, "\r\n"...)
}

// extras are the fields that the server adds.
type extras struct {
	length, date            bool
	connection, contentType string
}

// decideClose decides whether the connection ends after the response.
func (w *response) decideClose(extra *extras) {
	h := w.sent
	keep := !w.noKeep && !w.c.isEnding()
	if w.wants10 && (w.req.Method == "HEAD" || w.length >= 0 || !bodyAllowed(w.status)) {
		if !h.has("Connection") {
			extra.connection = "keep-alive"
		}
	} else if !w.req.ProtoAtLeast(1, 1) || w.wantsClose {
		w.closeAfter = true
	}
	if h.get("Connection") == "close" || !keep {
		w.closeAfter = true
	}
	if w.body.expect != noContinue && !w.body.atEOF() {
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
	w.out = append(w.out, ' ')
	if text := http.StatusText(code); text != "" {
		w.out = append(w.out, text...)
	} else {
		w.out = strconv.AppendInt(append(w.out, "status code "...), int64(code), 10)
	}
	w.out = append(w.out, "\r\n"...)
}

// fields appends a header to out.
func (w *response) fields(fs fields) {
	for _, f := range fs {
		if !f.unsent && validName(f.name) && !strings.HasPrefix(f.name, http.TrailerPrefix) {
			w.field(f.name, f.value)
		}
	}
}

// newlines replaces CR and LF, so that a value cannot begin a new field.
var newlines = strings.NewReplacer("\n", " ", "\r", " ")

func (w *response) field(name, value string) {
	if strings.ContainsAny(value, "\r\n") {
		value = newlines.Replace(value)
	}
	value = strings.Trim(value, " \t")
	w.out = append(append(append(append(w.out, name...), ": "...), value...), "\r\n"...)
}

func (w *response) extra(e extras) {
	if e.date {
		w.out = append(w.out, "Date: "...)
		w.out = w.c.clock.Now().UTC().AppendFormat(w.out, http.TimeFormat)
		w.out = append(w.out, "\r\n"...)
	}
	if e.length {
		w.out = strconv.AppendInt(append(w.out, "Content-Length: "...), w.length, 10)
		w.out = append(w.out, "\r\n"...)
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

// list returns the elements of a field whose values are lists.
func (fs fields) list(name string) (all []string) {
	for _, f := range fs {
		if f.name == name && !f.unsent {
			all = append(all, strings.Split(f.value, ",")...)
		}
	}
	return all
}

// trailers appends the trailers that the handler has set to out.
func (w *response) trailers() {
	t := make(http.Header)
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			t[name] = slices.Clone(values)
		}
	}
	for _, name := range w.trailer {
		name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
		if !strings.HasPrefix(name, "If-") && !slices.Contains(notTrailers, name) {
			t[name] = append(t[name], w.header[name]...)
		}
	}
	w.fields(snapshot(w.sent[:0], t))
}

// notTrailers are the fields that must not be trailers, because they are needed to read the message
// (RFC 9110, section 6.5.1). The list is the one in package net/http.
var notTrailers = []string{
	"Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range",
	"Content-Type", "Expect", "Host", "Keep-Alive", "Max-Forwards", "Pragma", "Proxy-Authenticate",
	"Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te", "Trailer", "Transfer-Encoding",
	"Www-Authenticate",
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
