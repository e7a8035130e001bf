// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"baton/loop/poll"
)

func sendFile(h poll.Handle, f *os.File, offset int64, count int) *poll.Op {
	return &poll.Op{Kind: poll.SendFile, Handle: h, File: &poll.FilePart{File: f, Offset: offset, Count: count}}
}

// sendFileCases are about SendFile, a Write of bytes of a file.
var sendFileCases = []testCase{
	{
		name:        "sendfile/part",
		explanation: "SendFile sends the bytes of the part, in order, and does not change the offset of the file, which its owner may be reading.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			content := pattern(8 << 20)
			file := fileOf(r, content)
			_, err := file.Seek(7, io.SeekStart)
			r.ok("Seek", err)
			client, server := r.pair()
			for _, c := range []struct{ offset, count int }{{0, 1}, {3, 1000}, {0, 0}, {1 << 20, 7<<20 - 1}, {0, 8 << 20}} {
				op := sendFile(client, file, int64(c.offset), c.count)
				r.submit(op)
				drain(r, server, content[c.offset:c.offset+c.count], func() int { return 100000 })
				r.finish(op)
				if op.Err != nil || op.N != c.count {
					r.t.Errorf("sent %d of %d bytes, error %v", op.N, c.count, op.Err)
				}
			}
			if at, err := file.Seek(0, io.SeekCurrent); at != 7 || err != nil {
				r.t.Errorf("the offset of the file is %d, error %v, want 7", at, err)
			}
		},
	},
	{
		name:        "sendfile/unix",
		explanation: "SendFile works on a UNIX socket as on a TCP socket.",
		needs:       poll.SendFiles | poll.Unix,
		run: func(r *rig) {
			l, err := r.poller.Listen(unixAddr(r), poll.ListenOptions{})
			r.ok("Listen", err)
			client, server := r.connect(l)
			content := pattern(3 << 20)
			op := sendFile(client, fileOf(r, content), 0, len(content))
			r.submit(op)
			drain(r, server, content, func() int { return 10000 })
			r.finish(op)
			if op.Err != nil || op.N != len(content) {
				r.t.Errorf("sent %d of %d bytes, error %v", op.N, len(content), op.Err)
			}
		},
	},
	{
		name:        "sendfile/short file",
		explanation: "If the file ends before the part, SendFile fails with io.EOF and N is the number of bytes sent. The peer may expect more.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			file := fileOf(r, []byte("short"))
			client, server := r.pair()
			for _, c := range []struct {
				offset int64
				n      int
			}{{0, 5}, {2, 3}, {5, 0}, {1000, 0}, {1 << 62, 0}} {
				op := r.do(sendFile(client, file, c.offset, 10))
				if r.want(op, io.EOF); op.N != c.n {
					r.t.Errorf("sent %d bytes from %d on, want %d", op.N, c.offset, c.n)
				}
				r.hear(server, "short"[5-c.n:])
			}
		},
	},
	// The file is large, so that the Cancel comes in the middle.
	{
		name:        "sendfile/cancel",
		explanation: "A cancelled SendFile reports how many bytes were sent, and exactly these arrive. It can be continued from there.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			content := pattern(32 << 20)
			file := fileOf(r, content)
			client, server := r.pair()
			op := sendFile(client, file, 0, len(content))
			if r.submit(op) {
				r.t.Fatal("a SendFile of 32 MiB completed at once, although the peer does not read")
			}
			r.wait(0)
			r.poller.Cancel(op)
			r.finish(op)
			if r.want(op, poll.ErrCanceled); op.N == 0 || op.N == len(content) {
				r.t.Errorf("the cancelled SendFile has sent %d bytes, want a part of the file", op.N)
			}
			rest := sendFile(client, file, int64(op.N), len(content)-op.N)
			r.submit(rest)
			drain(r, server, content, func() int { return 1 << 20 })
			r.finish(rest)
			r.ok("the rest", rest.Err)
		},
	},
	{
		name:        "sendfile/direction",
		explanation: "SendFile uses the direction of Write: only one is in flight, and a Read can be in flight beside it. Close ends it, and other handles continue meanwhile.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			const size = 32 << 20
			client, server := r.pair()
			other, another := r.pair()
			op, in := sendFile(client, blankFile(r, size), 0, size), read(client, 8)
			r.submit(op)
			r.submit(in)
			second := write(client, "x")
			if !r.submit(second) {
				r.t.Fatal("a Write beside a SendFile is in flight")
			}
			r.want(second, poll.ErrBusy)
			for range 20 {
				r.say(other, "meanwhile")
				r.hear(another, "meanwhile")
			}
			r.say(server, "crossing")
			r.finish(in)
			r.ok("Close", client.Close())
			r.finish(op)
			r.want(op, net.ErrClosed)
		},
	},
	{
		name:        "sendfile/broken connection",
		explanation: "A SendFile to a peer that is gone fails like a Write.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			const size = 64 << 20
			client, server := r.pair()
			op := sendFile(client, blankFile(r, size), 0, size)
			r.submit(op)
			r.ok("Abort", server.Abort())
			if r.finish(op); op.Err == nil || op.N == size {
				r.t.Errorf("sent %d bytes, error %v", op.N, op.Err)
			}
		},
	},
	{
		name:        "sendfile/closed file",
		explanation: "If the owner closes the file, before or during the SendFile, the error is fs.ErrClosed. The descriptor number may belong to another file by then, and nothing of that file may be sent.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			content := pattern(32 << 20)
			file := fileOf(r, content)
			client, server := r.pair()
			op := sendFile(client, file, 0, len(content))
			r.submit(op)
			r.ok("close by the owner", file.Close())
			blankFile(r, int64(len(content))) // gets the descriptor number
			in := read(server, 1<<20)
			var got []byte
			for r.inFlight[op] {
				r.must(in)
				got = append(got, in.Buf[:in.N]...)
			}
			r.want(op, fs.ErrClosed)
			for len(got) < op.N {
				r.must(in)
				got = append(got, in.Buf[:in.N]...)
			}
			if string(got) != string(content[:op.N]) {
				r.t.Errorf("the %d bytes read differ from the %d bytes sent", len(got), op.N)
			}
			again := r.do(sendFile(client, file, 0, 1))
			if r.want(again, fs.ErrClosed); again.N != 0 {
				r.t.Errorf("%d bytes of a closed file were sent", again.N)
			}
		},
	},
	{
		name:        "sendfile/misfits",
		explanation: "A file that the system cannot send is errors.ErrUnsupported with N == 0, so that the caller can read and write instead.",
		needs:       poll.SendFiles,
		run: func(r *rig) {
			client, _ := r.pair()
			dir, err := os.Open(r.t.TempDir())
			r.ok("open", err)
			defer dir.Close()
			op := r.do(sendFile(client, dir, 0, 10))
			if !errors.Is(op.Err, errors.ErrUnsupported) || op.N != 0 {
				r.t.Errorf("a directory: n %d, error %v", op.N, op.Err)
			}
		},
	},
}

// fileOf returns a new file with this content. The end of the case closes it.
func fileOf(r *rig, content []byte) *os.File {
	r.t.Helper()
	file, err := os.Create(filepath.Join(r.t.TempDir(), "file"))
	r.ok("create", err)
	r.t.Cleanup(func() { file.Close() })
	_, err = file.Write(content)
	r.ok("write", err)
	return file
}

// blankFile returns a new file of n zeros, which uses no blocks on the disk.
func blankFile(r *rig, n int64) *os.File {
	r.t.Helper()
	file := fileOf(r, nil)
	r.ok("truncate", file.Truncate(n))
	return file
}
