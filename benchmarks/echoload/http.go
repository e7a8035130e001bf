// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// httpRequest is the message with -http.
const httpRequest = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: echoload\r\nAccept: */*\r\n\r\n"

// learn sends one request. After that, the client expects answers that differ only in their dates,
// which have the same length. The body must have size bytes.
func (c *client) learn(size int) error {
	c.http = true
	if _, err := io.WriteString(c.conn, httpRequest); err != nil {
		return err
	}
	var answer bytes.Buffer
	br := bufio.NewReader(io.TeeReader(c.conn, &answer))
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || len(body) != size || br.Buffered() > 0 {
		return fmt.Errorf("the answer is %s with a body of %d bytes, want %d", resp.Status, len(body), size)
	}
	c.answer = answer.Bytes()
	c.echo = make([]byte, len(c.answer))
	return nil
}

// isAnswer reports whether the received bytes are the answer, except for the date.
func (c *client) isAnswer() bool {
	status := []byte("HTTP/1.1 200 OK\r\n")
	_, body, found := bytes.Cut(c.echo, []byte("\r\n\r\n"))
	_, want, _ := bytes.Cut(c.answer, []byte("\r\n\r\n"))
	return found && bytes.HasPrefix(c.echo, status) && bytes.Equal(body, want)
}
