// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"baton/netio"
	"baton/task"
)

// A framing defines where a message ends in a stream.
type framing struct {
	name   string
	tls    uint16 // the version that encrypts the stream before the first message; 0 is none
	encode func(message string) []byte
	hear   func(ctx context.Context, s *netio.Stream) (string, error)
}

func asLine(message string) []byte { return []byte(message + "\n") }

func hearLine(ctx context.Context, s *netio.Stream) (string, error) { return s.ReadLine(ctx) }

func withLength(message string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func hearLength(ctx context.Context, s *netio.Stream) (string, error) {
	var head [2]byte
	if _, err := s.ReadFull(ctx, head[:]); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := s.ReadFull(ctx, body)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return string(body), err
}

var framings = []framing{
	{"lines", 0, asLine, hearLine},
	{"lengths", 0, withLength, hearLength},
	{"TLS 1.2", tls.VersionTLS12, asLine, hearLine},
	{"TLS 1.3", tls.VersionTLS13, asLine, hearLine},
}

// said is what the client says in a dialog. The server answers each message with its length, and
// the end of the stream with "end".
var said = []string{"one", "", "the third message is a little longer", "4"}

func answers() []string {
	var all []string
	for _, message := range said {
		all = append(all, fmt.Sprint(len(message)))
	}
	return append(all, "end")
}

// A dialog is an exchange between two endpoints and its result.
type dialog struct {
	framing
	client, server        *tls.Config
	nearHeard, farHeard   []string
	nearErr, farErr       error
	nearConfig, farConfig netio.StreamConfig
}

// dialogTimeout limits every call of a dialog except those that only write.
const dialogTimeout = 10 * time.Second

func newDialog(t *testing.T, f framing) *dialog {
	config := netio.StreamConfig{
		ReadTimeout: dialogTimeout, WriteTimeout: dialogTimeout,
		TLS: netio.TLSOptions{HandshakeTimeout: dialogTimeout, Strict: true},
	}
	d := &dialog{framing: f, nearConfig: config, farConfig: config}
	if f.tls != 0 {
		a := newAuthority(t)
		d.client, d.server = a.quick(), a.server(t)
		d.client.MaxVersion = f.tls
	}
	return d
}

// run makes the two endpoints talk and closes them.
func (d *dialog) run(ctx context.Context, near, far *netio.Stream) {
	d.nearHeard, d.farHeard = nil, nil
	serving := task.Start(ctx, func(ctx context.Context) (error, error) { return d.serve(ctx, far), nil })
	d.nearErr = d.ask(ctx, near)
	d.farErr, _ = serving.Await(ctx)
}

func (d *dialog) say(ctx context.Context, s *netio.Stream, message string) error {
	_, err := s.Write(ctx, d.encode(message))
	return err
}

// ask is the client. It succeeds only if it reads the end of the stream.
func (d *dialog) ask(ctx context.Context, s *netio.Stream) error {
	defer s.Close()
	if d.tls != 0 {
		if err := s.StartTLS(ctx, d.client); err != nil {
			return err
		}
	}
	for i := range len(said) + 1 {
		if i < len(said) {
			if err := d.say(ctx, s, said[i]); err != nil {
				return err
			}
		} else if err := s.CloseWrite(); err != nil {
			return err
		}
		answer, err := d.hear(ctx, s)
		if err != nil {
			return err
		}
		d.nearHeard = append(d.nearHeard, answer)
	}
	rest, err := s.ReadAll(ctx, 10)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%q comes after the end", rest)
	}
	return err
}

// serve is the server. It answers "end" when the stream ends between two messages.
func (d *dialog) serve(ctx context.Context, s *netio.Stream) error {
	defer s.Close()
	if d.tls != 0 {
		if err := s.AcceptTLS(ctx, d.server); err != nil {
			return err
		}
	}
	for {
		message, err := d.hear(ctx, s)
		if err == io.EOF {
			return d.say(ctx, s, "end")
		}
		if err != nil {
			return err
		}
		d.farHeard = append(d.farHeard, message)
		if err := d.say(ctx, s, fmt.Sprint(len(message))); err != nil {
			return err
		}
	}
}
