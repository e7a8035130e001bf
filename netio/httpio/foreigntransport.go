// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"io"
	"net/http"

	"baton/await"
	"baton/task"
)

// Foreign returns an http.RoundTripper for goroutines that hold no baton: the loop of ctx
// does the work, by tasks of the scope of ctx, through a portal that closes with the
// scope. The context of a request is one of the standard library's there, and its Body is
// read on a goroutine beside the loop, unless GetBody is set. The Body of the response may
// be read by every goroutine, one at a time, and must be closed while the scope lives. On a
// task both would stop the loop, and panic: a task uses t itself.
func (t *Transport) Foreign(ctx context.Context) http.RoundTripper {
	return &foreignTransport{t, task.OpenPortal(ctx)}
}

type foreignTransport struct {
	t      *Transport
	portal *task.Portal
}

// do runs fn as a task that ends when ctx, of a goroutine, does.
func (f *foreignTransport) do(ctx context.Context, fn func(ctx context.Context) error) error {
	call := f.portal.Go(fn)
	defer context.AfterFunc(ctx, func() { call.Cancel(context.Cause(ctx)) })()
	err := call.Wait()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// RoundTrip makes it an http.RoundTripper.
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
		if !began { // the portal is closed
			closeBody(req)
		}
		return nil, err
	}
	resp.Request = req
	if resp.StatusCode != http.StatusSwitchingProtocols { // whose Body is a net.Conn
		resp.Body = &foreignBody{f, req.Context(), resp.Body}
	}
	return resp, nil
}

// A foreignBody is the body of a response, for goroutines.
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

// A offloadedBody is the body of a request that may wait for goroutines.
type offloadedBody struct {
	task *task.Ref // of the loop
	body io.ReadCloser
}

// Read reads beside the loop, for whatever task reads. A cancel closes the body, which
// makes the Read of most end.
func (b *offloadedBody) Read(p []byte) (int, error) {
	_, ctx := b.task.Running()
	return await.Blocking(ctx, func(ctx context.Context) (int, error) {
		defer context.AfterFunc(ctx, func() { _ = b.body.Close() })()
		return b.body.Read(p)
	})
}

// Close closes the body on a goroutine of its own, as an http.RoundTripper may: that may
// wait, and the task may be cancelled.
func (b *offloadedBody) Close() error {
	go b.body.Close()
	return nil
}
