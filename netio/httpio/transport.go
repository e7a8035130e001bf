// SPDX-License-Identifier: Apache-2.0

package httpio

import (
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

// A Transport is an http.RoundTripper over HTTP/1.1: in an http.Client it gives redirects,
// cookies and timeouts. It keeps connections for later requests. Fields that have the name
// of a field of http.Transport mean the same. The zero value is ready to use.
//
// RoundTrip runs on the calling task. It may switch, though it takes no ctx: the request
// has one, which must be a context of that task; that of http.Get is none. The Body of the
// response switches too, is for tasks of the loop, and must be closed. A Transport belongs
// to the loop that uses it first. Goroutines use it by [Transport.Foreign].
//
// The Body of a request is read on the calling task, or, unless it is a short one in memory,
// on a task beside it: the server may answer before it has the whole. The Body may switch,
// as the Body of another response or of a request to a [Server] does. It must not wait in
// another way, and not with the context of the request, which belongs to the calling task.
//
// The context of the request also ends the reads of the response's Body. If another task
// than that of the request reads the Body, its own context ends a read.
//
// Idle connections have no task. CloseIdleConnections closes them. After a response of
// status 101 the Body is the net.Conn of the connection, which lasts as long as the context
// of the request and counts for no limit.
//
// Of package httptrace a Transport calls GetConn and GotConn, for each time that a request is
// sent. Proxies other than http ones, and HTTP/2, are not supported. The zero value has none of
// the settings of http.DefaultTransport: no proxy from the environment, no limits and no
// timeouts. The context of the request bounds the handshake of TLS.
type Transport struct {
	// Dialer connects. Nil is the zero Dialer.
	Dialer *netio.Dialer

	// TLSClientConfig is for https. Nil is the zero one.
	TLSClientConfig *tls.Config

	// Proxy returns the proxy for a request, or nil. It must not switch. A nil Proxy is no
	// proxy; http.ProxyFromEnvironment reads the environment.
	Proxy func(*http.Request) (*url.URL, error)

	DisableKeepAlives     bool
	DisableCompression    bool
	MaxIdleConns          int           // 0 is no limit
	MaxIdleConnsPerHost   int           // 0 is http.DefaultMaxIdleConnsPerHost
	MaxConnsPerHost       int           // 0 is no limit; further requests wait in their order
	IdleConnTimeout       time.Duration // 0 is no limit
	ResponseHeaderTimeout time.Duration // 0 is no limit

	// ExpectContinueTimeout is how long a request with the field "Expect: 100-continue" waits
	// for the status 100 before it sends its Body. 0 sends the Body at once. If the server
	// answers with another status first, the Body is not sent, and the connection is closed
	// after the answer. In net/http it is sent then, unless one side closes the connection.
	ExpectContinueTimeout time.Duration

	// MaxResponseHeaderBytes bounds the head of a response. Default 1 MiB.
	MaxResponseHeaderBytes int64

	loop  *loop.Loop
	pools map[route]*connPool
	idle  idleList // of all hosts, the one that was used last at the front
}

// maxResponseHeader is the default of MaxResponseHeaderBytes.
const maxResponseHeader = 1 << 20

// RoundTrip sends a request and returns the response when its head has come. It does not
// follow redirects. A request on a kept connection that turns out to be closed is sent
// again, if that does no harm (RFC 9110, section 9.2.2). Errors are those of package
// netio, or say what is wrong with the request or the response.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.roundTrip(req, false)
}

// roundTrip is RoundTrip. If held is true, a task of the scope of the request's context
// keeps an upgraded connection, and not the calling one.
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
		// Each failed attempt has closed a kept connection, so the last one is on a new one.
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

// enter returns the context under which the calling task works on a request.
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
			if !validName(name) || !allValid(values) {
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
		panic(fmt.Sprintf("httpio: %v of %v uses a Transport of %v; use one for each loop", r, r.Loop(), t.loop))
	}
	return ctx, nil
}

func allValid(values []string) bool {
	for _, v := range values {
		if !validValue(v) {
			return false
		}
	}
	return true
}

// A route is where a connection leads: connections of one route can take each other's
// place.
type route struct {
	proxy  string // as in a URL, or empty
	secure bool   // https
	addr   string // of the server, or of the proxy if that passes each request on
	host   string // of the server, for TLS
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

// ascii returns a host name as look-ups and certificates have it (RFC 5891). Package
// net/http does that for the field Host.
func ascii(host string) string {
	if !strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		return host
	}
	var b strings.Builder
	req := http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: host}}
	if err := req.Write(&b); err != nil {
		return host // which is no name, as the dial will say
	}
	_, host, _ = strings.Cut(b.String(), "Host: ")
	host, _, _ = strings.Cut(host, "\r\n")
	return host
}

// address is the host and port of a URL.
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

// dial opens a connection of a route.
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

// startTLS shakes hands. After an error the stream is closed.
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
		_ = s.Close() // if a cancel came before the handshake
	}
	return err
}

// CloseIdleConnections closes the connections that wait for a request. It belongs to the
// loop, and does not switch.
func (t *Transport) CloseIdleConnections() {
	for c := t.idle.front; c != nil; c = t.idle.front {
		t.closeIdle(c)
	}
}

// rewind returns a request that is as req was, or false if its body cannot be read again.
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

// harmless reports whether a server may get a request twice (RFC 9110, section 9.2.2).
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
