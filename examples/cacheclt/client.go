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

// A client sends the requests of any number of tasks over one connection. Another task must
// call run.
type client struct {
	tls   *tls.Config         // nil is no TLS
	calls *locks.Queue[*call] // requests to send
}

// A call is a request and the future of its response.
type call struct {
	request  []byte
	tries    int
	response task.Future[response]
}

// A request is a request to cachesvr, as JSON. The server ignores a value in "get" and
// "delete".
type request struct {
	Type  string `json:"type"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A response is a response of cachesvr, as JSON.
type response struct {
	Status string `json:"status"`
	Value  string `json:"value"`
	Error  string `json:"error"`
}

// maxResponse is the most bytes that a response may have.
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

// set sets the value of a key and reports whether the server has set it.
func (c *client) set(ctx context.Context, key, value string) (bool, error) {
	res, err := c.do(ctx, request{Type: "set", Key: key, Value: value})
	return res.Status == "ok", err
}

// delete deletes a key and reports whether the key had a value.
func (c *client) delete(ctx context.Context, key string) (bool, error) {
	res, err := c.do(ctx, request{Type: "delete", Key: key})
	return res.Status == "ok", err
}

// do makes a request and waits for the response. It gives up after -timeout.
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
		this.response.TryFail(err) // send skips a call whose response has failed
		return response{}, err
	}
	if res.Error != "" {
		return response{}, errors.New(res.Error)
	}
	return res, nil
}

// run connects to the server until ctx is cancelled. It connects again when a connection fails.
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

// exchange sends calls and receives their responses until the connection fails. It puts the
// calls without a response back, for the next connection.
func (c *client) exchange(ctx context.Context, s *netio.Stream) error {
	defer s.Close()
	pending := map[int]*call{} // by request number
	err := task.Scope(ctx, func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error { return receive(ctx, s, pending) })
		return c.send(ctx, s, pending)
	})
	for _, id := range slices.Sorted(maps.Keys(pending)) {
		c.again(pending[id], err)
	}
	return err
}

// again puts a call back for the next connection. A call that was sent -ntries times fails.
func (c *client) again(this *call, cause error) {
	if this.tries++; this.tries < *ntries {
		c.calls.TryPut(this)
	} else {
		this.response.TryFail(fmt.Errorf("tried %d times: %w", this.tries, cause))
	}
}

// send sends calls as they arrive in the queue.
func (c *client) send(ctx context.Context, s *netio.Stream, pending map[int]*call) error {
	id := 0
	for this, err := range c.calls.All(ctx) {
		if err != nil {
			return err
		}
		if this.response.Done() {
			continue // the task has given up
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

// receive receives responses and completes their calls.
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
			this.response.TrySet(res) // has no effect if the task has given up
		}
	}
}
