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
// has one, which must be a context of that task, or context.Background. The Body of the
// response belongs to the same task, switches too, and must be closed. A Transport belongs
// to the loop that uses it first. Goroutines use it by [Transport.Foreign].
//
// Idle connections have no task. CloseIdleConnections closes them.
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
	MaxConnsPerHost       int           // 0 is no limit; a further request waits
	IdleConnTimeout       time.Duration // 0 is no limit
	ResponseHeaderTimeout time.Duration // 0 is no limit

	// MaxResponseHeaderBytes bounds the head of a response. Default 1 MiB.
	MaxResponseHeaderBytes int64

	loop  *loop.Loop
	hosts map[route]*host
	idle  idleList // of all hosts, the one that was used last at the front
}

// maxResponseHeader is the default of MaxResponseHeaderBytes.
const maxResponseHeader = 1 << 20

// RoundTrip sends a request and returns the response when its head has come. It does not
// follow redirects. A request on a kept connection that turns out to be closed is sent
// again, if that does no harm (RFC 9110, section 9.2.2). Errors are those of package
// netio, or say what is wrong with the request or the response.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, err := t.enter(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	r, err := t.route(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	for again := false; ; again = true {
		resp, err := t.try(ctx, req, r)
		if err == nil {
			return resp, nil
		}
		if again || !errors.Is(err, errStale) || !rewind(req) {
			return nil, clean(err)
		}
	}
}

// enter returns the context under which the calling task works on a request.
func (t *Transport) enter(req *http.Request) (context.Context, error) {
	switch {
	case req.URL == nil || req.URL.Host == "":
		return nil, errors.New("httpio: no host in the URL of the request")
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return nil, fmt.Errorf("httpio: unsupported protocol scheme %q", req.URL.Scheme)
	}
	for name, values := range req.Header {
		for _, v := range values {
			if !validName(name) || !validValue(v) {
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
		t.hosts = make(map[route]*host)
	case t.loop != r.Loop():
		panic(fmt.Sprintf("httpio: %v of %v uses a Transport of %v; use one for each loop", r, r.Loop(), t.loop))
	}
	return ctx, nil
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
	r := route{secure: req.URL.Scheme == "https", host: req.URL.Hostname(), addr: address(req.URL)}
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
	return net.JoinHostPort(u.Hostname(), port)
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
	if config.NextProtos == nil {
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
		t.discard(c)
	}
}

// rewind makes a request ready to be sent again. It reports false if that could do harm.
func rewind(req *http.Request) bool {
	switch req.Method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE":
	default:
		_, key := req.Header["Idempotency-Key"]
		_, oldKey := req.Header["X-Idempotency-Key"]
		if !key && !oldKey {
			return false
		}
	}
	if req.Body == nil || req.Body == http.NoBody {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	req.Body = body
	return err == nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// errStale says that a kept connection was closed before the response had begun.
var errStale = errors.New("httpio: the server has closed a kept connection")

// A staleError is the error of a request on a kept connection.
type staleError struct{ err error }

func (e *staleError) Error() string        { return e.err.Error() }
func (e *staleError) Unwrap() error        { return e.err }
func (e *staleError) Is(target error) bool { return target == errStale }

// clean returns what has happened, without the mark of a kept connection.
func clean(err error) error {
	if e, ok := err.(*staleError); ok {
		return e.err
	}
	return err
}
