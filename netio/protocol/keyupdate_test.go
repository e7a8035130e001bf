// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"baton/await"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
)

// Answers to key updates are sent although the protocol writes nothing. A peer that asks for them
// and does not read is cut off.
func TestKeyUpdates(t *testing.T) {
	for _, reads := range []bool{true, false} {
		t.Run(map[bool]string{true: "answered", false: "not read"}[reads], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				server, client := certificate(t)
				c := &protocoltest.Checker{T: t, Size: 20_000}
				s, tr := pair(ctx, t, protocol.Config{}, of(c))
				start := goTask(ctx, func(ctx context.Context) error { return tr.StartTLS(ctx, client) })
				peer := newUpdater(ctx, t, s, server)
				must(t, start(ctx))
				if peer == nil {
					return // crypto/tls prefers another cipher on this machine
				}
				const asked = 100
				if reads {
					for i := range asked {
						peer.ask(ctx)
						must(t, c.UntilData(ctx, i+1))
						peer.answered(ctx)
					}
					tr.Close()
					must(t, c.UntilLost(ctx))
					wantErr(t, "ConnectionLost", c.Err, nil)
					must(t, s.Close())
					return
				}
				crowd(ctx, t, tr)
				for range 10_000 {
					if tr.IsClosing() {
						break
					}
					peer.ask(ctx)
				}
				must(t, c.UntilLost(ctx))
				if c.Err == nil || !strings.Contains(c.Err.Error(), "key updates") {
					t.Errorf("ConnectionLost with %v", c.Err)
				}
				s.Close()
			})
		})
	}
}

// An updater is a TLS server that asks for key updates, which crypto/tls cannot do (RFC 8446,
// sections 4.6.3 and 7).
type updater struct {
	t       *testing.T
	stream  *netio.Stream
	in, out protection
}

// newUpdater performs the handshake. It returns nil unless the cipher is AES-128-GCM.
func newUpdater(ctx context.Context, t *testing.T, s *netio.Stream, config *tls.Config) *updater {
	t.Helper()
	var secrets bytes.Buffer
	config = config.Clone()
	config.KeyLogWriter, config.SessionTicketsDisabled = &secrets, true
	face := s.NetConn(ctx)
	state, err := await.Blocking(ctx, func(context.Context) (tls.ConnectionState, error) {
		conn := tls.Server(face, config)
		err := conn.Handshake()
		return conn.ConnectionState(), err
	})
	must(t, err)
	if state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		return nil
	}
	u := &updater{t: t, stream: s}
	for line := range strings.Lines(secrets.String()) {
		fields := strings.Fields(line)
		secret, err := hex.DecodeString(fields[2])
		must(t, err)
		switch fields[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			u.in.set(secret)
		case "SERVER_TRAFFIC_SECRET_0":
			u.out.set(secret)
		}
	}
	return u
}

// ask sends a key update and a byte of data. Without data, crypto/tls gives up.
func (u *updater) ask(ctx context.Context) {
	u.t.Helper()
	records := u.out.seal([]byte{24, 0, 0, 1, 1, 22})
	u.out.update()
	records = append(records, u.out.seal([]byte{'x', 23})...)
	_, err := u.stream.Write(ctx, records)
	if err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "pipe") {
		u.t.Fatal(err)
	}
}

// answered reads an answer.
func (u *updater) answered(ctx context.Context) {
	u.t.Helper()
	record := make([]byte, 5, 100)
	_, err := u.stream.ReadFull(ctx, record)
	must(u.t, err)
	record = record[:5+int(binary.BigEndian.Uint16(record[3:]))]
	_, err = u.stream.ReadFull(ctx, record[5:])
	must(u.t, err)
	plain, err := u.in.open(record)
	if err == nil && !bytes.Equal(plain, []byte{24, 0, 0, 1, 0, 22}) {
		err = errors.New("no key update")
	}
	must(u.t, err)
	u.in.update()
}

// A protection encrypts or decrypts the records of one direction.
type protection struct {
	secret, iv []byte
	aead       cipher.AEAD
	count      uint64
}

func (p *protection) set(secret []byte) {
	p.secret, p.iv, p.count = secret, expand(secret, "iv", 12), 0
	block, _ := aes.NewCipher(expand(secret, "key", 16))
	p.aead, _ = cipher.NewGCM(block)
}

func (p *protection) update() { p.set(expand(p.secret, "traffic upd", sha256.Size)) }

// expand is HKDF-Expand-Label.
func expand(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(n), byte(len(label))}, label...)
	key, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return key
}

func (p *protection) nonce() []byte {
	nonce := bytes.Clone(p.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(p.count >> (56 - 8*i))
	}
	p.count++
	return nonce
}

func (p *protection) seal(plain []byte) []byte {
	header := []byte{23, 3, 3, 0, byte(len(plain) + 16)}
	return p.aead.Seal(header, p.nonce(), plain, header[:5:5])
}

func (p *protection) open(record []byte) ([]byte, error) {
	return p.aead.Open(nil, p.nonce(), record[5:], record[:5])
}
