// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/task"
)

// A client makes the requests of any number of tasks over one connection. One more task
// must execute run.
type client struct {
	tls   *tls.Config         // nil is no TLS
	calls *locks.Queue[*call] // which are to be sent
}

// A call is a request whose task waits for the response.
type call struct {
	request  []byte
	tries    int
	response task.Future[response]
}

// A request is what cachesvr understands. It ignores the value of some.
type request struct {
	Type  string `json:"type"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A response is what cachesvr answers.
type response struct {
	Status string `json:"status"`
	Value  string `json:"value"`
	Error  string `json:"error"`
}

// maxResponse is how long a response may be.
const maxResponse = 2 << 20

func newClient() *client { return &client{calls: locks.NewQueue[*call](locks.Unbounded)} }

// get returns the value of a key, or "none".
func (c *client) get(ctx context.Context, key string) (string, error) {
	res, err := c.do(ctx, request{Type: "get", Key: key})
	if res.Status != "ok" {
		return "none", err
	}
	return res.Value, err
}

// set sets the value of a key and reports whether the server has done so.
func (c *client) set(ctx context.Context, key, value string) (bool, error) {
	res, err := c.do(ctx, request{Type: "set", Key: key, Value: value})
	return res.Status == "ok", err
}

// delete deletes a key and reports whether there was a value.
func (c *client) delete(ctx context.Context, key string) (bool, error) {
	res, err := c.do(ctx, request{Type: "delete", Key: key})
	return res.Status == "ok", err
}

// do makes a request and waits for the response, but not longer than -timeout.
func (c *client) do(ctx context.Context, req request) (response, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return response{}, err
	}
	ctx, release := await.WithTimeout(ctx, *timeout)
	defer release()
	this := &call{request: body}
	if err := c.calls.Put(ctx, this); err != nil {
		return response{}, err
	}
	res, err := this.response.Await(ctx)
	if err != nil {
		this.response.TryFail(err) // so that it is not sent any more
		return response{}, err
	}
	if res.Error != "" {
		return response{}, errors.New(res.Error)
	}
	return res, nil
}

// run connects to the server, and connects again whenever the connection fails, until ctx
// is cancelled.
func (c *client) run(ctx context.Context) error {
	var backoff time.Duration
	for {
		s, err := c.connect(ctx)
		if err == nil {
			backoff = 0
			err = c.exchange(ctx, s)
		} else {
			backoff = min(*maxBackoff, backoff*3/2+time.Second)
		}
		if cancelled := task.Check(ctx); cancelled != nil {
			return cancelled
		}
		log.Printf("Error: %v; sleep %v", err, backoff)
		if err := await.Sleep(ctx, backoff); err != nil {
			return err
		}
	}
}

func (c *client) connect(ctx context.Context) (*netio.Stream, error) {
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	if c.tls == nil {
		return netio.Dial(ctx, "tcp", address)
	}
	return netio.DialTLS(ctx, "tcp", address, c.tls)
}

// exchange sends calls and receives their responses, until the connection fails. Calls
// without a response are left for the next connection.
func (c *client) exchange(ctx context.Context, s *netio.Stream) error {
	defer s.Close()
	pending := map[int]*call{} // by the number of the request
	err := task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return receive(ctx, s, pending) })
		return c.send(ctx, s, pending)
	})
	for _, id := range slices.Sorted(maps.Keys(pending)) {
		c.again(pending[id], err)
	}
	return err
}

// again leaves a call for the next connection, unless it was tried often enough.
func (c *client) again(this *call, cause error) {
	if this.tries++; this.tries < *ntries {
		c.calls.TryPut(this)
	} else {
		this.response.TryFail(fmt.Errorf("tried %d times: %w", this.tries, cause))
	}
}

// send sends calls as they come.
func (c *client) send(ctx context.Context, s *netio.Stream, pending map[int]*call) error {
	id := 0
	for this, err := range c.calls.All(ctx) {
		if err != nil {
			return err
		}
		if this.response.Done() {
			continue // its task has given up
		}
		id++
		pending[id] = this
		frame := fmt.Appendf(nil, "request %d %d\n%s", id, len(this.request), this.request)
		if _, err := s.Write(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

// receive receives responses and gives them to the tasks that wait for them.
func receive(ctx context.Context, s *netio.Stream, pending map[int]*call) error {
	for {
		line, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		var id, size int
		if _, err := fmt.Sscanf(line, "response %d %d", &id, &size); err != nil || size < 0 || size > maxResponse {
			return fmt.Errorf("bad frame %q", line)
		}
		body := make([]byte, size)
		if _, err := s.ReadFull(ctx, body); err != nil {
			return err
		}
		var res response
		if err := json.Unmarshal(body, &res); err != nil {
			return err
		}
		if this := pending[id]; this != nil {
			delete(pending, id)
			this.response.TrySet(res) // its task may have given up
		}
	}
}
