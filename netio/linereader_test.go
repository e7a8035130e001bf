// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// dribble is a Reader that returns a few bytes at a time. Some reads also return an error, after
// which it continues.
type dribble struct {
	rest   string
	random *rand.Rand
}

var errHiccup = errors.New("hiccup")

func (d *dribble) Read(ctx context.Context, p []byte) (int, error) {
	if err := task.Yield(ctx); err != nil {
		return 0, err
	}
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, d.rest[:min(1+d.random.IntN(20), len(d.rest))])
	d.rest = d.rest[n:]
	if d.random.IntN(10) == 0 {
		return n, errHiccup
	}
	return n, nil
}

// Whatever the sizes of the reads, the lines are those of strings.Split. Errors lose no bytes,
// and too long lines are skipped.
func TestLineReader(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		random := task.Loop(ctx).Rand()
		for range 200 {
			var text, wanted strings.Builder
			const limit = 30
			for lines := random.IntN(20); lines > 0; lines-- {
				line := strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(40))
				if len(line) > limit {
					wanted.WriteString("too long|")
				} else {
					wanted.WriteString(line + "|")
				}
				text.WriteString(line)
				if lines > 1 || random.IntN(2) == 0 || line == "" {
					if len(line) < limit && random.IntN(3) == 0 {
						text.WriteString("\r") // counts against the limit
					}
					text.WriteString("\n")
				}
			}
			l := netio.NewLineReader(&dribble{text.String(), random})
			l.SetLineLimit(limit)
			var got strings.Builder
			for {
				line, err := l.ReadLine(ctx)
				if err == io.EOF {
					break
				}
				switch {
				case err == nil:
					got.WriteString(line + "|")
				case errors.Is(err, netio.ErrTooLong):
					got.WriteString("too long|")
				case !errors.Is(err, errHiccup):
					t.Fatal(err)
				}
			}
			if got.String() != wanted.String() {
				t.Fatalf("the lines of %q are\n%q, want\n%q", text.String(), got.String(), wanted.String())
			}
		}
	})
}

// Read returns the bytes that ReadLine has read ahead.
func TestLineReaderRead(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		l := netio.NewLineReader(&dribble{"head\nbody of some length", task.Loop(ctx).Rand()})
		for {
			if line, err := l.ReadLine(ctx); err == nil {
				if line != "head" {
					t.Errorf("ReadLine = %q, want \"head\"", line)
				}
				break
			}
		}
		var body []byte
		for buf := make([]byte, 7); ; {
			n, err := l.Read(ctx, buf)
			body = append(body, buf[:n]...)
			if err == io.EOF {
				break
			}
		}
		if string(body) != "body of some length" {
			t.Errorf("the body is %q, want all of it", body)
		}
	})
}
