// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// Fifty connections of wrk load our server for a second. All of its answers are good; how
// many there are decides nothing.
func TestWrk(t *testing.T) {
	id := newIdentity(t)
	for _, scheme := range []string{"http", "https"} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("hello, world\n")) })
		config := id.server()
		if scheme == "http" {
			config = nil
		}
		withHTTP(t, config, h, func(ctx context.Context, port string) error {
			report, err := wrk.run(ctx, "", "--threads", "1", "--connections", "50", "--duration", "1s", scheme+"://127.0.0.1:"+port+"/")
			if err != nil {
				return err
			}
			rate := ""
			for line := range strings.Lines(report) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "Socket errors") || strings.HasPrefix(line, "Non-2xx") {
					t.Errorf("%s: %s", scheme, line)
				}
				if strings.HasPrefix(line, "Requests/sec") {
					rate = line
				}
			}
			if rate == "" {
				t.Errorf("%s: wrk says %q", scheme, report)
			}
			t.Log(scheme, rate)
			return nil
		})
	}
}
