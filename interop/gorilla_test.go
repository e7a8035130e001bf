// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"baton/netio"
)

// gorillas tests github.com/gorilla/websocket over Dialer.DialFunc.
var gorillas = library{
	name: "gorilla",
	accept: func(w http.ResponseWriter, r *http.Request, compress bool) (socket, error) {
		up := websocket.Upgrader{EnableCompression: compress}
		c, err := up.Upgrade(w, r, nil)
		return gorilla{c}, err
	},
	dialer: func(ctx context.Context, config *tls.Config, compress, _ bool) dialer {
		d := websocket.Dialer{NetDialContext: netio.Dialer{}.DialFunc(ctx), EnableCompression: compress}
		if config != nil {
			d.NetDialTLSContext = netio.Dialer{}.DialTLSFunc(ctx, config)
		}
		return func(ctx context.Context, url string) (socket, *http.Response, error) {
			c, resp, err := d.DialContext(ctx, url, nil)
			return gorilla{c}, resp, err
		}
	},
	closed: func(err error) int {
		if e, ok := errors.AsType[*websocket.CloseError](err); ok {
			return e.Code
		}
		return -1
	},
}

type gorilla struct{ *websocket.Conn }

func (g gorilla) read() (text bool, data []byte, err error) {
	kind, data, err := g.ReadMessage()
	return kind == websocket.TextMessage, data, err
}

func (g gorilla) write(text bool, pieces ...[]byte) error {
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	w, err := g.NextWriter(kind)
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

func (g gorilla) control(kind int, data []byte) error { return g.WriteControl(kind, data, time.Time{}) }

func (g gorilla) close(code int, reason string) error {
	defer g.Close()
	if err := g.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason)); err != nil {
		return err
	}
	for {
		if _, _, err := g.ReadMessage(); err != nil {
			if websocket.IsCloseError(err, code) {
				return nil
			}
			return err
		}
	}
}

func (g gorilla) ping(context.Context) error {
	var pong string
	g.SetPongHandler(func(data string) error { pong = data; return nil })
	if err := g.control(websocket.PingMessage, []byte("hello?")); err != nil {
		return err
	}
	if err := g.write(true, []byte("x")); err != nil {
		return err
	}
	if _, _, err := g.read(); err != nil {
		return err
	}
	if pong != "hello?" {
		return fmt.Errorf("the pong is %q", pong)
	}
	return nil
}

func (g gorilla) leave(_ context.Context, code int) error {
	return g.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
}

func (g gorilla) drop() { g.Close() }
