// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A catalog is the value that the handler of -json encodes.
type catalog struct {
	Items []item `json:"items"`
	Note  string `json:"note"` // pads the JSON to its size
}

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

// items is the number of items of a catalog.
const items = 8

// answerJSON returns a handler that answers with a catalog in JSON, of size bytes.
func answerJSON(size int) http.Handler {
	var c catalog
	for i := range items {
		c.Items = append(c.Items, item{i, fmt.Sprint("item ", i), float64(i) + 0.5, []string{"new", "blue"}})
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	c.Note = strings.Repeat("x", max(0, size-len(b)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := json.Marshal(c)
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // an error means that the client has gone
	})
}
