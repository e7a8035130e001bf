// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"baton/loop"
	"baton/netio"
	"baton/task"
)

// A Transport is an http.RoundTripper for HTTP/1.1 on tasks. An http.Client adds redirects, cookies
// and timeouts to it. A Transport keeps connections for later requests. Fields that have the name
// of a field of http.Transport have the same meaning. The zero value is ready to use. Unlike
// http.DefaultTransport, it uses no proxy, and has no limits and no timeouts.
//
// A Transport belongs to the loop that uses it first. RoundTrip runs on the calling task and may
// switch, although it takes no ctx. The request has a context, which must be a context of the
// calling task. Make the request with http.NewRequestWithContext, because http.Get has no such
// context. Goroutines use a Transport through [Transport.Foreign].
//
// A task of the loop reads the Body of the response, which may switch, and must close it. After
// io.EOF, or after an error of the connection, each Read returns the same error again. After Close,
// it returns http.ErrBodyReadAfterClose.
//
// A cancel of the request's context makes RoundTrip and Read fail, and closes the connection. If
// the reading task did not make the request, only the cancel of its own context ends a Read that
// has begun.
//
// The Body of a request is read on the calling task if it is short and in memory. Otherwise
// another task reads it, because the server may answer before it has read the Body. The Body may
// switch, as the Body of another response does, or of a request to a [Server]. It must not wait in
// another way, nor with the request's context, which belongs to the calling task.
//
// Idle connections have no task; CloseIdleConnections closes them. After a response with status
// 101, the Body is the net.Conn of the connection. It may be used until the request's context ends,
// and no limit counts it.
//
// Each time it sends a request, a Transport calls GetConn and GotConn of package httptrace, and no
// other hook. It supports http proxies only, and no HTTP/2. The request's context limits the TLS
// handshake.
type Transport struct {
	// Dialer opens the connections. Nil means the zero Dialer.
	Dialer *netio.Dialer

	// TLSClientConfig is used for https. Nil means the zero Config.
	TLSClientConfig *tls.Config

	// Proxy returns the proxy for a request, or nil for none. It must not switch. A nil Proxy
	// means no proxy; http.ProxyFromEnvironment reads the environment.
	Proxy func(*http.Request) (*url.URL, error)

	DisableKeepAlives     bool
	DisableCompression    bool
	MaxIdleConns          int           // 0 means no limit
	MaxIdleConnsPerHost   int           // 0 means http.DefaultMaxIdleConnsPerHost
	MaxConnsPerHost       int           // 0 means no limit; further requests wait in order
	IdleConnTimeout       time.Duration // 0 means no limit
	ResponseHeaderTimeout time.Duration // 0 means no limit

	// ExpectContinueTimeout is how long a request with the field "Expect: 100-continue" waits
	// for the status 100 before it sends its Body. 0 means that it does not wait. If the server
	// sends another status first, the Body is not sent, and the connection is closed after the
	// response. (In net/http the Body is sent then, unless one side closes the connection.)
	ExpectContinueTimeout time.Duration

	// MaxResponseHeaderBytes limits the head of a response, in bytes. The default is 1 MiB.
	MaxResponseHeaderBytes int64

	loop  *loop.Loop
	pools map[route]*connPool
	idle  list.List // of *clientConn, of all routes; the most recently used at the front
}

// maxResponseHeader is the default of MaxResponseHeaderBytes.
const maxResponseHeader = 1 << 20

// RoundTrip sends a request, and returns the response when its head has arrived. It does not
// follow redirects. If a kept connection turns out to be closed, and the request is safe to repeat
// (RFC 9110, section 9.2.2), RoundTrip sends it again on another connection. Errors are those of
// package netio, or describe what is wrong with the request or the response.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.roundTrip(req, false)
}

// roundTrip is RoundTrip. If holdUpgraded is true, an upgraded connection gets its own task,
// in the scope of the request's context.
func (t *Transport) roundTrip(req *http.Request, holdUpgraded bool) (*http.Response, error) {
	ctx, err := t.checkRequest(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	r, err := t.route(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	for next := req; ; {
		// Each failed attempt closes a kept connection, so in the end a new connection is used.
		resp, again, err := t.try(ctx, next, r, holdUpgraded)
		if err != nil && again {
			next, again = rewind(req)
		}
		if err != nil && again {
			continue
		}
		if err != nil {
			return nil, err
		}
		resp.Request = req
		return resp, nil
	}
}

// checkRequest checks a request and the calling task, and returns the context of the request.
func (t *Transport) checkRequest(req *http.Request) (context.Context, error) {
	switch {
	case req.URL == nil || req.URL.Host == "":
		return nil, errors.New("httpio: no host in the URL of the request")
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return nil, fmt.Errorf("httpio: unsupported protocol scheme %q", req.URL.Scheme)
	}
	if req.Method != "" && !validName(req.Method) {
		return nil, fmt.Errorf("httpio: invalid method %q", req.Method)
	}
	for _, h := range []http.Header{req.Header, req.Trailer} {
		for name, values := range h {
			if !validName(name) || slices.ContainsFunc(values, hasControl) {
				return nil, fmt.Errorf("httpio: invalid header field %q", name)
			}
		}
	}
	ctx := req.Context()
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case t.loop == nil:
		t.loop = r.Loop()
		t.pools = make(map[route]*connPool)
	case t.loop != r.Loop():
		panic(fmt.Sprintf("httpio: %v of %v uses a Transport of %v; use one Transport for each loop", r, r.Loop(), t.loop))
	}
	return ctx, nil
}

// A route is the destination of a connection. Connections of one route are interchangeable.
type route struct {
	proxy  string // its URL, or empty
	secure bool   // https
	addr   string // of the server, or of the proxy if it forwards single requests
	host   string // of the server, to verify its certificate
}

func (t *Transport) route(req *http.Request) (route, error) {
	r := route{secure: req.URL.Scheme == "https", host: ascii(req.URL.Hostname()), addr: address(req.URL)}
	if t.Proxy == nil {
		return r, nil
	}
	proxy, err := t.Proxy(req)
	if err != nil || proxy == nil {
		return r, err
	}
	if proxy.Scheme != "http" {
		return r, fmt.Errorf("httpio: unsupported proxy scheme %q", proxy.Scheme)
	}
	r.proxy = proxy.String()
	if !r.secure {
		r.addr, r.host = address(proxy), ""
	}
	return r, nil
}

// ascii returns a host name in the form that look-ups and certificates use (RFC 5891). It takes
// that form from the field Host that package net/http writes.
func ascii(host string) string {
	if !strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		return host
	}
	var b strings.Builder
	req := http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: host}}
	if err := req.Write(&b); err != nil {
		return host // no valid name; the dial reports that
	}
	_, host, _ = strings.Cut(b.String(), "Host: ")
	host, _, _ = strings.Cut(host, "\r\n")
	return host
}

// address returns the host and port of a URL.
func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(ascii(u.Hostname()), port)
}

// dial opens a connection to a route.
func (t *Transport) dial(ctx context.Context, r route) (*netio.Stream, error) {
	d := netio.Dialer{}
	if t.Dialer != nil {
		d = *t.Dialer
	}
	if r.proxy == "" || !r.secure {
		s, err := d.Dial(ctx, "tcp", r.addr)
		if err != nil || !r.secure {
			return s, err
		}
		return s, t.startTLS(ctx, s, r)
	}
	proxy, err := url.Parse(r.proxy)
	if err != nil {
		return nil, err
	}
	s, err := d.Dial(ctx, "tcp", address(proxy))
	if err != nil {
		return nil, err
	}
	if err := tunnel(ctx, s, proxy, r.addr); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, t.startTLS(ctx, s, r)
}

// startTLS performs the TLS handshake. After an error the stream is closed.
func (t *Transport) startTLS(ctx context.Context, s *netio.Stream, r route) error {
	config := &tls.Config{}
	if t.TLSClientConfig != nil {
		config = t.TLSClientConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = r.host
	}
	config.NextProtos = slices.DeleteFunc(slices.Clone(config.NextProtos), func(p string) bool { return p == "h2" })
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"http/1.1"}
	}
	err := s.StartTLS(ctx, config)
	if err != nil {
		_ = s.Close() // needed if a cancel came before the handshake
	}
	return err
}

// CloseIdleConnections closes the idle connections. It must be called on the loop, and does not
// switch.
func (t *Transport) CloseIdleConnections() {
	for e := t.idle.Front(); e != nil; e = t.idle.Front() {
		t.closeIdle(e.Value.(*clientConn))
	}
}

// rewind returns req with an unread body, or false if the body cannot be read again.
func rewind(req *http.Request) (*http.Request, bool) {
	if !hasBody(req) {
		return req, true
	}
	if req.GetBody == nil {
		return req, false
	}
	body, err := req.GetBody()
	if err != nil {
		return req, false
	}
	next := *req
	next.Body = body
	return &next, true
}

// isReplayable reports whether a request may be sent twice (RFC 9110, section 9.2.2).
func isReplayable(req *http.Request) bool {
	switch req.Method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	_, key := req.Header["Idempotency-Key"]
	_, oldKey := req.Header["X-Idempotency-Key"]
	return key || oldKey
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
