// SPDX-License-Identifier: Apache-2.0

package crawler

import (
	"bytes"
	"html"
	"iter"
	"strings"
)

func isHTML(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, ";")
	return strings.TrimSpace(kind) == "text/html"
}

// references returns the values of href and src in a page. It only finds attributes in the form
// href="value", which the sites of the comparison use.
func references(body []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			at := bytes.Index(body, []byte(`="`))
			if at < 0 {
				return
			}
			name := body[:at]
			value, rest, closed := bytes.Cut(body[at+2:], []byte(`"`))
			if !closed {
				return
			}
			if bytes.HasSuffix(name, []byte(" href")) || bytes.HasSuffix(name, []byte(" src")) {
				if !yield(html.UnescapeString(string(value))) {
					return
				}
			}
			body = rest
		}
	}
}
