// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"baton/netio"
)

// tunnel asks a proxy to connect s to addr (RFC 9110, section 9.3.6).
func tunnel(ctx context.Context, s *netio.Stream, proxy *url.URL, addr string) error {
	ask := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if auth := authorization(proxy); auth != "" {
		ask += "Proxy-Authorization: " + auth + "\r\n"
	}
	if _, err := s.Write(ctx, []byte(ask+"\r\n")); err != nil {
		return err
	}
	br := bufio.NewReader(&tunnelReader{ctx, s, maxResponseHeader})
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("httpio: the proxy %s refused the connection: %s", proxy.Host, resp.Status)
	}
	ahead, _ := br.Peek(br.Buffered())
	s.Unread(ahead)
	return nil
}

// A tunnelReader reads the response of a proxy. Left limits its length, in bytes.
type tunnelReader struct {
	ctx  context.Context
	s    *netio.Stream
	left int
}

func (r *tunnelReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errors.New("httpio: the response of the proxy is too long")
	}
	n, err := r.s.Read(r.ctx, p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// authorization returns the credentials in the URL of a proxy (RFC 7617), or "".
func authorization(proxy *url.URL) string {
	if proxy.User == nil {
		return ""
	}
	password, _ := proxy.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password))
}
