// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"io"
	"net/http"

	"baton/await"
	"baton/task"
)

// Foreign returns an http.RoundTripper for goroutines, such as those of other libraries. Tasks in
// the scope of ctx do the work, through a portal that closes with the scope. The requests have
// ordinary contexts of the standard library. The Body of a request is read on a goroutine, unless
// GetBody is set. The Body of a response may be read by any goroutine, one at a time, and must be
// closed before the scope ends. A task that uses the RoundTripper or such a Body would stop the
// loop, and panics; tasks use t directly.
func (t *Transport) Foreign(ctx context.Context) http.RoundTripper {
	return &foreignTransport{t, task.OpenPortal(ctx)}
}

// A foreignTransport is the http.RoundTripper of Foreign.
type foreignTransport struct {
	t      *Transport
	portal *task.Portal
}

// do runs fn as a task and waits for it. The end of ctx, the context of a goroutine, cancels the
// task.
func (f *foreignTransport) do(ctx context.Context, fn func(ctx context.Context) error) error {
	call := f.portal.Go(fn)
	defer context.AfterFunc(ctx, func() { call.Cancel(context.Cause(ctx)) })()
	err := call.Wait()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// RoundTrip sends a request of a goroutine.
func (f *foreignTransport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	began := false
	err = f.do(req.Context(), func(ctx context.Context) (err error) {
		began = true
		inner := req.WithContext(ctx)
		if hasBody(req) && req.GetBody == nil {
			inner.Body = &offloadedBody{task.Self(ctx), req.Body}
		}
		resp, err = f.t.roundTrip(inner, true)
		return err
	})
	if err != nil {
		if !began { // the portal was closed
			closeBody(req)
		}
		return nil, err
	}
	resp.Request = req
	if resp.StatusCode != http.StatusSwitchingProtocols { // otherwise the Body is a net.Conn
		resp.Body = &foreignBody{f, req.Context(), resp.Body}
	}
	return resp, nil
}

// A foreignBody is the Body of a response, for goroutines.
type foreignBody struct {
	f    *foreignTransport
	ctx  context.Context
	body io.ReadCloser
}

func (b *foreignBody) Read(p []byte) (n int, err error) {
	err = b.f.do(b.ctx, func(context.Context) (err error) {
		n, err = b.body.Read(p)
		return err
	})
	return n, err
}

func (b *foreignBody) Close() error {
	return b.f.do(context.WithoutCancel(b.ctx), func(context.Context) error { return b.body.Close() })
}

// An offloadedBody is the Body of a request whose Read may wait for goroutines.
type offloadedBody struct {
	task *task.Ref // any task of the loop
	body io.ReadCloser
}

// Read reads on a goroutine, for the calling task. A cancel closes the body, which ends the Read of
// most bodies.
func (b *offloadedBody) Read(p []byte) (int, error) {
	_, ctx := b.task.Running()
	return await.Blocking(ctx, func(ctx context.Context) (int, error) {
		defer context.AfterFunc(ctx, func() { _ = b.body.Close() })()
		return b.body.Read(p)
	})
}

// Close closes the body on another goroutine, which an http.RoundTripper may do: the Close may
// block, and the task may already be cancelled.
func (b *offloadedBody) Close() error {
	go b.body.Close()
	return nil
}
