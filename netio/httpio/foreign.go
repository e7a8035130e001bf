// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"io"
	"net/http"

	"baton/task"
)

// Foreign returns an http.RoundTripper for goroutines that hold no baton: the loop of ctx
// does the work, by tasks of the scope of ctx, through a portal that closes with the
// scope. The context of a request is one of the standard library's there. The body of the
// response may be read by every goroutine, one at a time, while the scope lives. On a task
// it would stop the loop, and panics: a task uses t itself.
func (t *Transport) Foreign(ctx context.Context) http.RoundTripper {
	return &foreign{t, task.OpenPortal(ctx)}
}

type foreign struct {
	t      *Transport
	portal *task.Portal
}

// do runs fn as a task that ends when ctx, of a goroutine, does.
func (f *foreign) do(ctx context.Context, fn func(ctx context.Context) error) error {
	call := f.portal.Go(fn)
	defer context.AfterFunc(ctx, func() { call.Cancel(context.Cause(ctx)) })()
	err := call.Wait()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// RoundTrip makes it an http.RoundTripper.
func (f *foreign) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	err = f.do(req.Context(), func(ctx context.Context) (err error) {
		resp, err = f.t.RoundTrip(req.WithContext(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	resp.Request = req
	resp.Body = &foreignBody{f, req.Context(), resp.Body}
	return resp, nil
}

// A foreignBody is the body of a response, for goroutines.
type foreignBody struct {
	f    *foreign
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
