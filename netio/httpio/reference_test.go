// SPDX-License-Identifier: Apache-2.0

package httpio_test

import "strings"

// changed reports whether the net/http of this Go answers sent otherwise than that of Go
// 1.26, which this server follows. That of Go 1.27 ends the connection after a CONNECT, lets
// no handler read a body that the client holds back once its answer has begun, and refuses
// a head with very many fields, however short it is.
func changed(sent string) bool {
	return newerReference && (strings.HasPrefix(sent, "CONNECT ") ||
		strings.Contains(strings.ToLower(sent), "100-continue") || strings.Count(sent, "\n") > 1000)
}
