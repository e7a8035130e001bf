// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
	"os"
	"sync"
)

const (
	// sniffBytes is how much of a file is read before the answer begins: its type is guessed by
	// that, and a file that cannot be read leaves the answer to the handler.
	sniffBytes = 512

	// copyBytes is how much is read at a time of what is no file.
	copyBytes = 32 << 10
)

var copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// ReadFrom copies src into the answer. It is for io.Copy, and so for http.ServeContent and
// http.ServeFile. If src is a file, or a limited part of one, and the answer has a
// Content-Length, the file is sent by [netio.Stream.SendFile].
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	if w.isFile(src) {
		if !w.begun {
			n, err = w.copy(io.LimitReader(src, sniffBytes))
			if err != nil || n < sniffBytes {
				return n, err
			}
		}
		if w.length >= 0 {
			m, err := w.sendFile(src)
			if n += m; err != nil {
				return n, err
			}
		}
	}
	m, err := w.copy(src) // or finds that this is all
	return n + m, err
}

// copy copies src by Write.
func (w *response) copy(src io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copyBytes]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, src, buf[:])
}

// isFile reports whether src may be sent as a file, by the calling task.
func (w *response) isFile(src io.Reader) bool {
	f, _ := fileOf(src)
	if f == nil || w.ended.Load() || w.hijacked || w.req.Method == http.MethodHead || !w.c.atHome() {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// fileOf returns the file that src reads, and the limit of that, if there is one.
func fileOf(src io.Reader) (*os.File, *io.LimitedReader) {
	part, _ := src.(*io.LimitedReader)
	if part != nil {
		src = part.R
	}
	f, _ := src.(*os.File)
	return f, part
}

// sendFile sends what src, a file, has for the answer, and has read that from src. It sends
// nothing if the answer does not take all of it as it is. A file that has become shorter
// ends earlier.
func (w *response) sendFile(src io.Reader) (int64, error) {
	f, part := fileOf(src)
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, nil
	}
	info, err := f.Stat()
	if err != nil {
		return 0, nil
	}
	count := info.Size() - offset
	if part != nil {
		count = min(count, part.N)
	}
	if count <= 0 || !bodyAllowed(w.status) || count > w.length-w.written {
		return 0, nil
	}
	if !w.begun || len(w.held) > 0 {
		w.writeBody(w.held)
		w.held = w.held[:0]
	}
	if w.chunked {
		return 0, nil
	}
	w.flush()
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.c.s.SendFile(w.c.ctx, f, offset, count)
	w.written += n
	if part != nil {
		part.N -= n
	}
	_, _ = f.Seek(offset+n, io.SeekStart) // where there was an offset before
	if err != nil && err != io.ErrUnexpectedEOF {
		w.setErr(err)
		return n, err
	}
	return n, nil
}
