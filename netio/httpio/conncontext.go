// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/internal/bridge"
)

// derive sets the context of the requests. It must run before another task gets the context.
func (c *conn) derive() {
	bridge.AddValues(c.ctx, func(values context.Context) context.Context { return connContext{values, c} })
	c.base = c.ctx
	if c.srv.ConnContext == nil {
		return
	}
	if c.base = c.srv.ConnContext(c.ctx, c.nc); c.base == nil || c.base.Value(connKey{}) != c {
		misuse("ConnContext returned a context that is not derived from its ctx; return context.WithValue(ctx, key, value)")
	}
}

// A connContext is a context that has the values of a connection.
type connContext struct {
	context.Context
	conn *conn
}

// connKey is the key of the *conn.
type connKey struct{}

func (c connContext) Value(key any) any {
	switch key {
	case connKey{}:
		return c.conn
	case http.LocalAddrContextKey:
		return c.conn.s.LocalAddr()
	}
	return c.Context.Value(key)
}
