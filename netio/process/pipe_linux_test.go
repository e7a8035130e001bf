// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"context"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"baton/netio/process"
)

// On Linux a stream of a pipe or terminal leaves the original file blocking.
func TestStreamLeavesFileBlocking(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := files(t)
		defer r.Close()
		defer w.Close()
		_, slave := terminal(t)
		for _, f := range []*os.File{r, slave} {
			s := must(process.ReadPipe(ctx, f))(t)
			if !blocks(t, f) {
				t.Errorf("O_NONBLOCK is set for %s", f.Name())
			}
			s.Close()
		}
		s := must(process.WritePipe(ctx, w))(t)
		if !blocks(t, w) {
			t.Error("O_NONBLOCK is set for the writer")
		}
		s.Close()
	})
}

// terminal returns both ends of a pseudo terminal. They are closed at the end of the test.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master = must(os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0))(t)
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n := must(unix.IoctlGetInt(fd, unix.TIOCGPTN))(t)
	slave = must(os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0))(t)
	t.Cleanup(func() { slave.Close() })
	slave.Fd() // makes it blocking
	return master, slave
}

// Streams of both ends of a pseudo terminal transfer lines. The stream of the master belongs
// to the same terminal as the slave.
func TestTerminalStreams(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		master, slave := terminal(t)
		keyboard, screen := must(process.WritePipe(ctx, master))(t), must(process.ReadPipe(ctx, master))(t)
		in, out := must(process.ReadPipe(ctx, slave))(t), must(process.WritePipe(ctx, slave))(t)
		must(keyboard.Write(ctx, []byte("typed\n")))(t)
		if line, err := in.ReadLine(ctx); line != "typed" || err != nil {
			t.Errorf("the program reads %q, %v", line, err)
		}
		must(out.Write(ctx, []byte("shown\n")))(t)
		for _, line := range []string{"typed", "shown"} { // the terminal shows what is typed
			if got, err := screen.ReadLine(ctx); got != line || err != nil {
				t.Errorf("the screen shows %q, %v, want %q", got, err, line)
			}
		}
		for _, s := range []interface{ Close() error }{keyboard, screen, in, out} {
			want(t, "Close", s.Close(), nil)
		}
	})
}
