// SPDX-License-Identifier: Apache-2.0

package httpio_test

import "strings"

// changed reports whether package net/http of Go 1.27 responds to sent in another way than Go
// 1.26, which this server follows. Go 1.27 ends the connection after a CONNECT. It lets no handler
// read a body that the client still holds back after the response has begun. It refuses a head
// with very many fields, even if the head is short.
func changed(sent string) bool {
	return newerReference && (strings.HasPrefix(sent, "CONNECT ") ||
		strings.Contains(strings.ToLower(sent), "100-continue") || strings.Count(sent, "\n") > 1000)
}
