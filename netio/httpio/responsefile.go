// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"io"
	"net/http"
	"os"
	"sync"
)

const (
	// sniffBytes is how many bytes of a file are read before the response begins. The Content-Type is
	// guessed from them. If the file cannot be read, the handler can still send another response.
	sniffBytes = 512

	// copyBytes is how many bytes are read at a time from a source that is no file.
	copyBytes = 32 << 10
)

var copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// ReadFrom copies src into the response. io.Copy calls it, and so do http.ServeContent and
// http.ServeFile. If src is a file, or an io.LimitedReader of a file, and the response has a
// Content-Length, ReadFrom sends the file with [netio.Stream.SendFile].
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
	m, err := w.copy(src) // the rest, which may be empty
	return n + m, err
}

// copy copies src with Write.
func (w *response) copy(src io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copyBytes]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, src, buf[:])
}

// isFile reports whether the calling task may send src as a file.
func (w *response) isFile(src io.Reader) bool {
	f, _ := fileOf(src)
	if f == nil || w.ended.Load() || w.hijacked || w.req.Method == http.MethodHead || !w.c.onTask() {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// fileOf returns the file that src reads, or nil, and the io.LimitedReader around it, or nil.
func fileOf(src io.Reader) (*os.File, *io.LimitedReader) {
	part, _ := src.(*io.LimitedReader)
	if part != nil {
		src = part.R
	}
	f, _ := src.(*os.File)
	return f, part
}

// sendFile sends the bytes that src, a file, still has, and moves src behind them. It sends nothing
// if the response cannot take all of them, or would change them. It sends fewer bytes if the file
// has become shorter.
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
	_, _ = f.Seek(offset+n, io.SeekStart) // cannot fail: the file had an offset before
	if err != nil && err != io.ErrUnexpectedEOF {
		w.setErr(err)
		return n, err
	}
	return n, nil
}
