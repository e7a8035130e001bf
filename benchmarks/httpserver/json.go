// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A catalog is what the handler of -json encodes.
type catalog struct {
	Items []item `json:"items"`
	Note  string `json:"note"` // makes the JSON as long as it has to be
}

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

// items is how many items a catalog has.
const items = 8

// answerJSON is the handler whose answers are the JSON of a catalog, size bytes of it.
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
		_, _ = w.Write(b) // an error is that of the client
	})
}
