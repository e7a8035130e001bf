// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// check refuses requests that http.ReadRequest accepts and that a server must not accept (RFC
// 9112).
func (c *conn) check(req *http.Request) error {
	switch {
	case req.ProtoMajor != 1:
		return &refusal{code: http.StatusHTTPVersionNotSupported, reason: "unsupported protocol version"}
	case req.ProtoAtLeast(1, 1) && !c.head.hasHost && req.Method != "CONNECT":
		return &refusal{code: http.StatusBadRequest, reason: "missing required Host header"}
	case !validHost(bytes.TrimLeft(c.head.value, " ")):
		return &refusal{code: http.StatusBadRequest, reason: "malformed Host header"}
	}
	for name, values := range req.Header {
		if !validName(name) {
			return &refusal{code: http.StatusBadRequest, reason: "invalid header name"}
		}
		if slices.ContainsFunc(values, hasControl) {
			return &refusal{code: http.StatusBadRequest, reason: "invalid header value"}
		}
	}
	return nil
}

// validHost reports whether h has only the bytes of a host and a port (RFC 3986, section
// 3.2.2). An empty host is valid (RFC 9112, section 3.2).
func validHost(h []byte) bool {
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

// hasControl reports whether a field value has a control character other than tab (RFC 9110,
// section 5.5).
func hasControl(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

func isAlnum(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' }

// hasToken reports whether one of values, each a list separated by commas, has token. It ignores
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

// wants reports whether the first value of a field has token. It ignores case. As in package
// net/http, commas, spaces and tabs separate tokens.
func wants(h http.Header, name, token string) bool { return isListed(h.Get(name), token) }

func isListed(list, token string) bool {
	for part := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if strings.EqualFold(part, token) {
			return true
		}
	}
	return false
}
