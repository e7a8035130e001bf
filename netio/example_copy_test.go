// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"baton/netio"
	"baton/task"
)

// A text is a Reader. Any io.Reader that never blocks can be wrapped like this.
type text struct{ io.Reader }

func (t text) Read(_ context.Context, p []byte) (int, error) { return t.Reader.Read(p) }

// A console is a Writer.
type console struct{ io.Writer }

func (c console) Write(_ context.Context, p []byte) (int, error) { return c.Writer.Write(p) }

// A poem is a Reader that is in memory already. Its WriteTo needs no buffer.
type poem struct {
	text
	verses []string
}

func (p poem) WriteTo(ctx context.Context, dst netio.Writer) (written int64, err error) {
	for _, verse := range p.verses {
		n, err := dst.Write(ctx, []byte(verse))
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Copy copies from any Reader to any Writer, not only between streams. If the Reader is a
// WriterTo, Copy calls its WriteTo.
func ExampleCopy() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var dst netio.Writer = console{os.Stdout}
		var src netio.Reader = text{strings.NewReader("hello\n")}
		n, err := netio.Copy(ctx, dst, src)
		if err != nil {
			return err
		}
		fmt.Println(n, "bytes")

		var verses netio.WriterTo = poem{verses: []string{"roses are red\n", "violets are blue\n"}}
		_, err = verses.WriteTo(ctx, dst)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello
	// 6 bytes
	// roses are red
	// violets are blue
	// <nil>
}

// A LineReader adds ReadLine and Lines to a Reader that lacks them, such as a file.
func ExampleLineReader() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var lines *netio.LineReader = netio.NewLineReader(text{strings.NewReader("one\ntwo\nthree")})
		first, err := lines.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Println("first:", first)
		for line, err := range lines.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// first: one
	// two
	// three
	// <nil>
}
