// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// sealer writes records of TLS 1.3 (RFC 8446) with AES-128-GCM. Package crypto/tls never starts a
// key update, so the test writes the key updates of the peer itself. The file is for amd64 because
// crypto/tls chooses another cipher on processors without AES.
type sealer struct {
	secret, iv []byte
	aead       cipher.AEAD
	sequence   uint64
}

// rekey derives the keys from a secret (section 7.3).
func (s *sealer) rekey(t *testing.T, secret []byte) {
	s.secret, s.sequence = secret, 0
	s.iv = s.expand(t, "iv", 12)
	s.aead = must(cipher.NewGCM(must(aes.NewCipher(s.expand(t, "key", 16)))(t)))(t)
}

// expand is HKDF-Expand-Label without a context (section 7.1).
func (s *sealer) expand(t *testing.T, label string, size int) []byte {
	label = "tls13 " + label
	info := string(append(binary.BigEndian.AppendUint16(nil, uint16(size)), byte(len(label)))) + label + "\x00"
	return must(hkdf.Expand(sha256.New, s.secret, info, size))(t)
}

// record appends a record of a content type to b (section 5.2).
func (s *sealer) record(b []byte, content byte, text ...byte) []byte {
	nonce := append([]byte(nil), s.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(s.sequence >> (56 - 8*i))
	}
	s.sequence++
	head := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(text)+1+s.aead.Overhead()))
	return s.aead.Seal(append(b, head...), nonce, append(text, content), head)
}

// update appends a key update that requests a key update in return (section 4.6.3), and a byte of
// text with the new keys. Without the text, crypto/tls fails after 16 key updates.
func (s *sealer) update(t *testing.T, b []byte) []byte {
	b = s.record(b, 22, 24, 0, 0, 1, 1)
	s.rekey(t, s.expand(t, "traffic upd", 32))
	return s.record(b, 23, 'x')
}

// answerBytes is the size of the record of a key update.
const answerBytes = 5 + 5 + 1 + 16

// A peer that requests key updates and reads the answers may continue. If the peer does not read
// them, the stream buffers at most 64 KiB of answers besides the data of a Write. Then reading
// fails.
func TestKeyUpdateFlood(t *testing.T) {
	const updates = 10_000
	for _, reads := range []bool{true, false} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			a := newAuthority(t)
			serving := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, far.AcceptTLS(ctx, a.server(t)) })
			var secrets strings.Builder
			config := a.client()
			config.KeyLogWriter = &secrets
			client := tls.Client(near.NetConn(ctx), config)
			want(t, "handshake", client.HandshakeContext(context.WithoutCancel(ctx)), nil)
			must(serving.Await(ctx))(t)
			if suite := client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
				t.Fatalf("this processor prefers %s", tls.CipherSuiteName(suite))
			}
			_, secret, _ := strings.Cut(secrets.String(), "CLIENT_TRAFFIC_SECRET_0 ")
			var s sealer
			s.rekey(t, must(hex.DecodeString(strings.Fields(secret)[1]))(t))

			flooding := task.Start(ctx, func(ctx context.Context) (int, error) {
				for range updates {
					if _, err := near.Write(ctx, s.update(t, nil)); err != nil {
						return 0, err
					}
				}
				return 0, nil
			})
			if reads {
				task.Go(ctx, func(ctx context.Context) error {
					_, err := netio.Copy(ctx, deaf{}, near)
					if errors.Is(err, net.ErrClosed) {
						err = nil
					}
					return err
				})
				if n, err := far.ReadFull(ctx, make([]byte, updates)); err != nil {
					t.Errorf("ReadFull after %d updates: %v", n, err)
				}
				must(flooding.Await(ctx))(t)
				return
			}
			n, err := far.ReadFull(ctx, make([]byte, updates))
			op, ok := err.(*net.OpError)
			if !ok || op.Op != "read" || !strings.Contains(err.Error(), "does not read the answers") {
				t.Errorf("ReadFull after %d updates: %v, want an error about unread answers", n, err)
			}
			// A Write may have buffered room bytes, and the network way bytes.
			const kept, room, way = 64 << 10, 72 << 10, 64 << 10
			if answers := n * answerBytes; answers < kept || answers > kept+room+way+1000*answerBytes {
				t.Errorf("the stream wrote %d bytes of answers", answers)
			}
			_, again := far.Read(ctx, make([]byte, 1))
			want(t, "Read again", again, err)
			flooding.Cancel(nil)
			flooding.Await(ctx)
		})
	}
}
