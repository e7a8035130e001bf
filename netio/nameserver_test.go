// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"baton/netio"
	"baton/task"
)

// The types of records (RFC 1035, section 3.2.2; RFC 2782).
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeSRV   = 33
)

// A question is the name and the type of record that a query asks for.
type question struct {
	name string // with the final dot
	kind uint16
}

// A record is one record of an answer.
type record struct {
	name string
	kind uint16
	data string
}

// A zone is the data of a name server. Names that it does not contain do not exist. A server with
// a nil zone never answers.
type zone map[question][]record

// add adds a record.
func (z zone) add(kind uint16, name, data string) {
	q := question{name, kind}
	z[q] = append(z[q], record{name, kind, data})
}

// example returns the zone that most tests use.
func example() zone {
	z := zone{}
	host := netip.MustParseAddr("192.0.2.1").As4()
	z.add(typeA, "host.test.", string(host[:]))
	z.add(typeTXT, "host.test.", "\x05hello\x05world") // two parts of one text
	z.add(typeTXT, "host.test.", "\x03bye")
	z.add(typeMX, "test.", "\x00\x0a"+labels("mail.test."))
	z.add(typeMX, "test.", "\x00\x05"+labels("host.test."))
	z.add(typeNS, "test.", labels("host.test."))
	z.add(typePTR, "1.2.0.192.in-addr.arpa.", labels("host.test."))
	z.add(typeSRV, "_chat._tcp.test.", "\x00\x02\x00\x00\x00\x50"+labels("host.test."))
	z.add(typeSRV, "_chat._tcp.test.", "\x00\x01\x00\x00\x00\x51"+labels("mail.test."))
	z.add(typeMX, "partly.test.", "\x00\x05"+labels("host.test."))
	z.add(typeMX, "partly.test.", "\x00\x05"+labels("not a host."))
	z[question{"alias.test.", typeA}] = []record{
		{"alias.test.", typeCNAME, labels("host.test.")},
		{"host.test.", typeA, string(host[:])},
	}
	return z
}

// labels returns name as it is encoded in a message (RFC 1035, section 3.1).
func labels(name string) string {
	var b strings.Builder
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		b.WriteByte(byte(len(label)))
		b.WriteString(label)
	}
	return b.String() + "\x00"
}

// answer returns the answer to query, or nil for none (RFC 1035, section 4.1).
func (z zone) answer(query []byte) []byte {
	if z == nil {
		return nil
	}
	end := 12
	var q question
	for query[end] != 0 {
		next := end + 1 + int(query[end])
		q.name += string(query[end+1:next]) + "."
		end = next
	}
	q.kind = binary.BigEndian.Uint16(query[end+1:])
	end += 5
	records := z[q]
	msg := append([]byte(nil), query[:end]...)
	msg[2], msg[3] = 0x84, 0x80 // an answer, authoritative, recursion is available
	if len(records) == 0 {
		msg[3] |= 3 // the name does not exist
	}
	binary.BigEndian.PutUint16(msg[6:], uint16(len(records)))
	clear(msg[8:12])
	for _, r := range records {
		msg = append(msg, labels(r.name)...)
		msg = binary.BigEndian.AppendUint16(msg, r.kind)
		msg = append(msg, 0, 1, 0, 0, 0, 60) // class, seconds to live
		msg = binary.BigEndian.AppendUint16(msg, uint16(len(r.data)))
		msg = append(msg, r.data...)
	}
	return msg
}

// resolver starts a server of the zone on TCP. It returns a resolver that asks the server over
// connections of this loop.
func (z zone) resolver(ctx context.Context, t testing.TB) *net.Resolver {
	s := serve(ctx, t, &netio.Server{Grace: -1}, func(ctx context.Context, s *netio.Stream) error {
		for { // each message follows its length (RFC 1035, section 4.2.2)
			var size [2]byte
			if _, err := s.ReadFull(ctx, size[:]); err != nil {
				return err
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := s.ReadFull(ctx, query); err != nil {
				return err
			}
			if answer := z.answer(query); answer != nil {
				binary.BigEndian.PutUint16(size[:], uint16(len(answer)))
				if _, err := s.WriteBuffers(ctx, size[:], answer); err != nil {
					return err
				}
			}
		}
	})
	t.Cleanup(func() { s.srv.Close() })
	dial := netio.Dialer{}.DialFunc(ctx)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial(ctx, "tcp", s.ln.Addr().String())
	}}
}

// serveUDP answers the queries that socket receives, until socket is closed.
func (z zone) serveUDP(ctx context.Context, socket *netio.PacketConn) {
	task.Go(ctx, func(ctx context.Context) error {
		buf := make([]byte, 2048)
		for {
			p, err := socket.Receive(ctx, buf)
			if err != nil {
				return nil
			}
			if p.Data = z.answer(p.Data); p.Data != nil {
				if err := socket.Send(ctx, p); err != nil {
					return err
				}
			}
		}
	})
}
