// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/coder/websocket"

	"baton/await"
	"baton/netio/httpio"
	"baton/task"
)

// coders tests github.com/coder/websocket over httpio.Transport.
var coders = library{
	name: "coder",
	accept: func(w http.ResponseWriter, r *http.Request, compress bool) (socket, error) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode(compress)})
		return newCoder(r.Context(), c), err
	},
	dialer: func(ctx context.Context, config *tls.Config, compress, outside bool) dialer {
		transport := &httpio.Transport{TLSClientConfig: config}
		client := &http.Client{Transport: transport}
		if outside {
			client.Transport = transport.Foreign(ctx)
		}
		return func(ctx context.Context, url string) (socket, *http.Response, error) {
			options := websocket.DialOptions{HTTPClient: client, CompressionMode: mode(compress)}
			c, resp, err := websocket.Dial(ctx, url, &options)
			return newCoder(ctx, c), resp, err
		}
	},
	closed: func(err error) int { return int(websocket.CloseStatus(err)) },
}

func mode(compress bool) websocket.CompressionMode {
	if compress {
		return websocket.CompressionContextTakeover
	}
	return websocket.CompressionDisabled
}

type coder struct {
	*websocket.Conn
	ctx context.Context
}

func newCoder(ctx context.Context, c *websocket.Conn) coder {
	if c != nil {
		c.SetReadLimit(-1)
	}
	return coder{c, ctx}
}

func (c coder) read() (text bool, data []byte, err error) {
	kind, data, err := c.Read(c.ctx)
	return kind == websocket.MessageText, data, err
}

func (c coder) write(text bool, pieces ...[]byte) error {
	kind := websocket.MessageBinary
	if text {
		kind = websocket.MessageText
	}
	if len(pieces) == 1 {
		return c.Write(c.ctx, kind, pieces[0])
	}
	w, err := c.Writer(c.ctx, kind)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Close()
}

func (c coder) close(code int, reason string) error {
	return c.Close(websocket.StatusCode(code), reason)
}

// ping calls Ping on a goroutine: on a task, its wait would stop the loop.
func (c coder) ping(ctx context.Context) error {
	reader := task.StartErr(ctx, func(context.Context) error { _, _, err := c.read(); return err })
	_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) { return 0, c.Ping(ctx) })
	if err != nil {
		return err
	}
	if err := c.write(true, []byte("x")); err != nil {
		return err
	}
	_, err = reader.Await(ctx)
	return err
}

// leave calls Close on a goroutine: Close waits for a lock that the reading task holds.
func (c coder) leave(ctx context.Context, code int) error {
	_, err := await.Blocking(ctx, func(context.Context) (int, error) { return 0, c.close(code, "") })
	return err
}

func (c coder) drop() { c.CloseNow() }
