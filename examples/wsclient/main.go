// SPDX-License-Identifier: Apache-2.0

// Wsclient is a chat client for a terminal. It asks for a name, sends each line of standard
// input, and prints what other clients write. It shows a WebSocket library on a connection of
// netio, and package terminal for the input.
//
//	go -C examples/wssrv run .      # in another terminal
//	go -C examples/wsclient run .   # the end of the input, Ctrl-D, ends it
//
// One task reads from the connection, and another task writes. Without httpio.Outbox only one
// task may write: the library holds a lock while it writes, and a second task that waits for
// the lock would block the loop.
package main

import (
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

	"baton/netio"
	"baton/netio/terminal"
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

// A message is a message of wssrv, which has the description.
type message struct {
	Kind string `json:"kind"`
	From int    `json:"from,omitempty"`
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
}

func run(ctx context.Context, in *os.File, out io.Writer) error {
	input, err := terminal.NewInput(ctx, in)
	if err != nil {
		return err
	}
	defer input.Close()
	fmt.Fprint(out, "Please enter your name: ")
	name, err := input.ReadLine(ctx)
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
		writer.Cancel(nil) // it waits for the next line
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
		case m.From == me: // this client has caused the message
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

// write sends the lines of the input. At the end of the input it closes the WebSocket.
func write(ctx context.Context, ws *websocket.Conn, name string, input *terminal.Input) error {
	if err := ws.WriteJSON(message{Kind: "join", Name: name}); err != nil {
		return err
	}
	for line, err := range input.Lines(ctx) {
		if err != nil {
			return err
		}
		if line == "" {
			continue
		}
		if err := ws.WriteJSON(message{Kind: "say", Text: line}); err != nil {
			return err
		}
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}
