// SPDX-License-Identifier: Apache-2.0

package terminal_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"baton/netio/terminal"
)

// A pty is a pseudo terminal. A test writes to the master what a user would type, and reads from
// the master what a user would see.
type pty struct{ master, slave *os.File }

// openPTY opens a pseudo terminal, and closes it at the end of the test. Programs use the slave.
func openPTY(t *testing.T) pty {
	t.Helper()
	master := must(os.OpenFile("/dev/ptmx", os.O_RDWR, 0))(t)
	t.Cleanup(func() { master.Close() })
	var n int
	conn := must(master.SyscallConn())(t)
	var err error
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slave := must(os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0))(t)
	t.Cleanup(func() { slave.Close() })
	return pty{master, slave}
}

// types writes s as if a user had typed it.
func (p pty) types(t *testing.T, s string) {
	t.Helper()
	must(p.master.WriteString(s))(t)
}

// termios returns the mode of the terminal.
func (p pty) termios(t *testing.T) unix.Termios {
	t.Helper()
	var term *unix.Termios
	var err error
	conn := must(p.slave.SyscallConn())(t)
	conn.Control(func(fd uintptr) { term, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	if err != nil {
		t.Fatal(err)
	}
	return *term
}

// sees returns what the user sees, up to the given end.
func (p pty) sees(t *testing.T, end string) string {
	t.Helper()
	var seen []byte
	buf := make([]byte, 1000)
	for !strings.HasSuffix(string(seen), end) {
		n, err := p.master.Read(buf)
		if seen = append(seen, buf[:n]...); err != nil {
			t.Fatalf("the user sees %q, and then %v", seen, err)
		}
	}
	return string(seen)
}

// resize changes the size of the window.
func (p pty) resize(t *testing.T, s terminal.Size) {
	t.Helper()
	conn := must(p.master.SyscallConn())(t)
	var err error
	conn.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(s.Columns), Row: uint16(s.Rows)})
	})
	want(t, "resize", err, nil)
}
