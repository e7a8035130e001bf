// SPDX-License-Identifier: Apache-2.0

// Wsclient is a chat client for a terminal. It asks for a name, sends each line of standard
// input, and prints what others write. It shows a library for WebSocket over a connection
// of netio, and the reading of standard input beside the loop.
//
//	go -C examples/wssrv run .      # in another terminal
//	go -C examples/wsclient run .   # the end of the input, Ctrl-D, ends it
//
// One task reads from the connection, and another one writes to it. That is the rule for
// the library without httpio.Outbox: a task that waits for its lock would stop the loop.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gorilla/websocket"

	"baton/await"
	"baton/netio"
	"baton/task"
)

var (
	host = flag.String("host", "127.0.0.1", "host name")
	port = flag.Int("port", 8080, "port number")
)

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return run(ctx, os.Stdin, os.Stdout) })
}

// A message is one of those that wssrv describes.
type message struct {
	Kind string `json:"kind"`
	From int    `json:"from,omitempty"`
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	input := bufio.NewScanner(in)
	fmt.Fprint(out, "Please enter your name: ")
	name, err := readLine(ctx, input)
	if err == io.EOF {
		fmt.Fprintln(out)
		return nil
	}
	if err != nil {
		return err
	}
	dialer := websocket.Dialer{NetDialContext: netio.Dialer{}.DialFunc(ctx)}
	ws, _, err := dialer.DialContext(ctx, "ws://"+net.JoinHostPort(*host, strconv.Itoa(*port))+"/chat", nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	return task.Scope(ctx, func(ctx context.Context) error {
		writer := task.Go(ctx, func(ctx context.Context) error { return write(ctx, ws, name, input) })
		err := read(ws, out)
		writer.Cancel(nil) // it waits for a line that has no use any more
		return err
	})
}

// read prints the messages of the server until the connection ends.
func read(ws *websocket.Conn, out io.Writer) error {
	me := 0
	for {
		var m message
		err := ws.ReadJSON(&m)
		switch {
		case websocket.IsCloseError(err, websocket.CloseNormalClosure):
			return nil // the answer to our close
		case websocket.IsCloseError(err, websocket.CloseGoingAway):
			fmt.Fprintln(out, "The server has ended.")
			return nil
		case err != nil:
			return err
		case m.Kind == "welcome":
			me = m.From
			fmt.Fprintf(out, "Welcome, %s!\n", plain(m.Name))
		case m.From == me: // what this client has done
		case m.Kind == "join":
			fmt.Fprintln(out, plain(m.Name), "joined.")
		case m.Kind == "leave":
			fmt.Fprintln(out, plain(m.Name), "left.")
		case m.Kind == "say":
			fmt.Fprintf(out, "%s: %s\n", plain(m.Name), plain(m.Text))
		}
	}
}

// plain returns text without characters that control the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// patience is how long the server may take to answer a close.
const patience = 5 * time.Second

// write sends the lines of the input, and closes at its end.
func write(ctx context.Context, ws *websocket.Conn, name string, input *bufio.Scanner) error {
	if err := ws.WriteJSON(message{Kind: "join", Name: name}); err != nil {
		return err
	}
	for {
		line, err := readLine(ctx, input)
		switch {
		case err == io.EOF:
			_ = ws.SetReadDeadline(time.Now().Add(patience))
			return ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
		case err != nil:
			return err
		case line == "":
			continue
		}
		if err := ws.WriteJSON(message{Kind: "say", Text: line}); err != nil {
			return err
		}
	}
}

// readLine reads a line beside the loop. Nothing can end that but a line. So after a cancel
// the goroutine that reads is left behind, and the process ends nevertheless.
func readLine(ctx context.Context, input *bufio.Scanner) (string, error) {
	return await.Abandon(ctx, func(context.Context) (string, error) {
		if input.Scan() {
			return input.Text(), nil
		}
		if err := input.Err(); err != nil {
			return "", fmt.Errorf("standard input: %w", err)
		}
		return "", io.EOF
	}, nil)
}
