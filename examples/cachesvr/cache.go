// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
)

// A request is a request of a client, as JSON.
type request struct {
	Type  *string `json:"type"`
	Key   *string `json:"key"`
	Value *string `json:"value"`
}

// A response is a response to a client, as JSON.
type response struct {
	Status string  `json:"status,omitempty"`
	Value  *string `json:"value,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// A cache has the values by their keys. The tasks of all connections use the cache without a
// lock, because one task runs at a time and no method of a cache switches.
type cache map[string]string

// respond returns the response to a request, both in JSON. The error is a frameError if the
// request is not JSON.
func (c cache) respond(body []byte) ([]byte, error) {
	var req request
	err := json.Unmarshal(body, &req)
	wrong, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case mistyped && wrong.Field == "":
		return json.Marshal(response{Error: "request is not an object"})
	case mistyped:
		return json.Marshal(response{Error: wrong.Field + " is not a string"})
	case err != nil:
		return nil, frameError("unparsable json")
	}
	return json.Marshal(c.execute(req))
}

// execute executes a request.
func (c cache) execute(req request) response {
	switch {
	case req.Type == nil:
		return response{Error: "no type in request"}
	case req.Key == nil:
		return response{Error: "key is not a string"}
	}
	value, found := c[*req.Key]
	switch *req.Type {
	case "get":
		if !found {
			return response{Status: "notfound"}
		}
		return response{Status: "ok", Value: &value}
	case "set":
		if req.Value == nil {
			return response{Error: "value is not a string"}
		}
		c[*req.Key] = *req.Value
		return response{Status: "ok"}
	case "delete":
		if !found {
			return response{Status: "notfound"}
		}
		delete(c, *req.Key)
		return response{Status: "ok"}
	}
	return response{Error: "unknown request type"}
}
