// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/netio/file"
	"baton/netio/httpio"
	"baton/netio/process"
	"baton/netio/terminal"
	"baton/sim"
	"baton/task"
)

// A refusal is a call with a cancelled context.
type refusal struct {
	name string
	call func(ctx context.Context) error
}

// Calls with a cancelled context count like other calls: a task that repeats them yields
// now and then, so that other tasks run.
func TestRefusedCallsYield(t *testing.T) {
	const calls = 1024 // four times the calls of one step
	sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
		rows := taskRefusals(ctx)
		rows = append(rows, awaitRefusals(ctx)...)
		rows = append(rows, lockRefusals(ctx, t)...)
		rows = append(rows, netRefusals(ctx, t)...)
		rows = append(rows, httpRefusals()...)
		rows = append(rows, processRefusals()...)
		rows = append(rows, fileRefusals(ctx, t)...)
		rows = append(rows, terminalRefusals()...)
		ours, release := await.WithTimeout(ctx, 0)
		defer release()
		standard, cancel := context.WithCancel(ctx)
		cancel()
		start := task.Now(ctx)
		for name, refused := range map[string]context.Context{"ours": ours, "standard": standard} {
			for _, row := range rows {
				turns := 0
				neighbour := task.Go(ctx, func(ctx context.Context) error {
					for {
						turns++
						if err := task.Yield(ctx); err != nil {
							return err
						}
					}
				})
				for range calls {
					var canceled *task.Canceled
					if err := row.call(refused); !errors.As(err, &canceled) {
						t.Fatalf("%s, %s: %v, want a *task.Canceled", row.name, name, err)
					}
				}
				if most := calls / 16; turns < 3 || turns > most {
					t.Errorf("%s, %s: another task ran %d times during %d calls, want 3 to %d", row.name, name, turns, calls, most)
				}
				neighbour.Cancel(nil)
				task.Yield(ctx)
			}
		}
		if passed := task.Now(ctx).Sub(start); passed != 0 {
			t.Errorf("%v passed", passed)
		}
		task.ScopeOf(ctx).Cancel(nil)
	})
}

func taskRefusals(ctx context.Context) []refusal {
	goesOn := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, forever(ctx) })
	ended := task.Start(ctx, func(context.Context) (int, error) { return 0, nil })
	ended.Await(ctx)
	onlyErr := task.StartErr(ctx, forever)
	var open, done task.Future[int]
	done.Set(1)
	var queue task.WaitQueue
	nothing := func(context.Context) error { return nil }
	return []refusal{
		{"Checkpoint", func(ctx context.Context) error { _, err := task.Checkpoint(ctx); return err }},
		{"Yield", task.Yield},
		{"Park", func(ctx context.Context) error { return task.Park(ctx, cancelableWait{task.Text("a test")}) }},
		{"ParkUntil", forAnHour},
		{"WaitQueue.Wait", func(ctx context.Context) error { return queue.Wait(ctx, task.Text("a test")) }},
		{"Await", func(ctx context.Context) error { _, err := goesOn.Await(ctx); return err }},
		{"Await, ended", func(ctx context.Context) error { _, err := ended.Await(ctx); return err }},
		{"Await, of StartErr", func(ctx context.Context) error { _, err := onlyErr.Await(ctx); return err }},
		{"Future.Await", func(ctx context.Context) error { _, err := open.Await(ctx); return err }},
		{"Future.Await, done", func(ctx context.Context) error { _, err := done.Await(ctx); return err }},
		{"Scope", func(ctx context.Context) error { task.Scope(ctx, nothing); return task.Check(ctx) }},
	}
}

// A cancelableWait is a wait that every cancel ends.
type cancelableWait struct{ task.Text }

func (cancelableWait) Cancel(*task.Ref) bool { return true }

func awaitRefusals(ctx context.Context) []refusal {
	goesOn := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, forever(ctx) })
	body := func(context.Context) (int, error) { panic("called") }
	item := func(context.Context, int) (int, error) { panic("called") }
	each := func(ctx context.Context, tasks ...*task.Task[int]) (err error) {
		for _, err = range await.Each(ctx, tasks...) {
		}
		return err
	}
	empty := make(chan int)
	ticker := await.NewTicker(ctx, time.Second)
	return []refusal{
		{"Sleep", func(ctx context.Context) error { return await.Sleep(ctx, time.Hour) }},
		{"Sleep, zero", func(ctx context.Context) error { return await.Sleep(ctx, 0) }},
		{"Forever", await.Forever},
		{"Ticker.Next", func(ctx context.Context) error { _, err := ticker.Next(ctx); return err }},
		{"Timeout", func(ctx context.Context) error { return await.Timeout(ctx, time.Hour, task.Check) }},
		{"All", func(ctx context.Context) error { _, err := await.All(ctx, goesOn); return err }},
		{"All, of nothing", func(ctx context.Context) error { _, err := await.All[int](ctx); return err }},
		{"Each", func(ctx context.Context) error { return each(ctx, goesOn) }},
		{"Each, of nothing", func(ctx context.Context) error { return each(ctx) }},
		{"First", func(ctx context.Context) error { _, err := await.First(ctx, body, body); return err }},
		{"Race.First", func(ctx context.Context) error {
			_, err := await.Race[int]{Delay: time.Second}.First(ctx, body, body)
			return err
		}},
		{"Map", func(ctx context.Context) error { _, err := await.Map(ctx, []int{1, 2}, item); return err }},
		{"Map, of nothing", func(ctx context.Context) error { _, err := await.Map(ctx, nil, item); return err }},
		{"MapN", func(ctx context.Context) error { _, err := await.MapN(ctx, 1, []int{1, 2}, item); return err }},
		{"Blocking", func(ctx context.Context) error { _, err := await.Blocking(ctx, body); return err }},
		{"Abandon", func(ctx context.Context) error { _, err := await.Abandon(ctx, body, nil); return err }},
		{"Receive", func(ctx context.Context) error { _, _, err := await.Receive(ctx, empty); return err }},
		{"Send", func(ctx context.Context) error { return await.Send(ctx, empty, 1) }},
		{"Signals", func(ctx context.Context) (err error) {
			for _, err = range await.Signals(ctx, os.Interrupt) {
			}
			return err
		}},
	}
}

func lockRefusals(ctx context.Context, t *testing.T) []refusal {
	var open, taken locks.Mutex
	if err := taken.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	cond := locks.NewCond(&taken)
	var event locks.Event
	semaphore, limiter, barrier := locks.NewSemaphore(0), locks.NewLimiter(0), locks.NewBarrier(2)
	queue, items := locks.NewQueue[int](0), locks.NewQueue[int](1)
	items.TryPut(1)
	return []refusal{
		{"Mutex.Lock", open.Lock},
		{"Mutex.Lock, locked", taken.Lock},
		{"Cond.Wait", cond.Wait},
		{"Cond.WaitFor", func(ctx context.Context) error { return cond.WaitFor(ctx, func() bool { return true }) }},
		{"Event.Wait", event.Wait},
		{"Semaphore.Acquire", semaphore.Acquire},
		{"Limiter.Acquire", limiter.Acquire},
		{"Limiter.AcquireFor", func(ctx context.Context) error { return limiter.AcquireFor(ctx, 1) }},
		{"Barrier.Wait", func(ctx context.Context) error { _, err := barrier.Wait(ctx); return err }},
		{"Queue.Put", func(ctx context.Context) error { return queue.Put(ctx, 1) }},
		{"Queue.Get", func(ctx context.Context) error { _, err := queue.Get(ctx); return err }},
		{"Queue.Get, of an item", func(ctx context.Context) error { _, err := items.Get(ctx); return err }},
		{"Queue.All", func(ctx context.Context) (err error) {
			for _, err = range queue.All(ctx) {
			}
			return err
		}},
		{"Queue.Join", items.Join},
	}
}

func httpRefusals() []refusal {
	const url = "http://10.0.0.1/"
	s := &httpio.Session{}
	return []refusal{
		{"httpio.Session.Get", func(ctx context.Context) error { _, err := s.Get(ctx, url); return err }},
		{"httpio.Session.Text", func(ctx context.Context) error { _, err := s.Text(ctx, url); return err }},
		{"httpio.Session.JSON", func(ctx context.Context) error { return s.JSON(ctx, url, nil) }},
		{"httpio.Session.PostForm", func(ctx context.Context) error { _, err := s.PostForm(ctx, url, nil); return err }},
		{"httpio.Session.PostJSON", func(ctx context.Context) error { return s.PostJSON(ctx, url, nil, nil) }},
		{"httpio.Session.Upload", func(ctx context.Context) error { _, err := s.Upload(ctx, url, nil, nil); return err }},
		{"httpio.Session.Download", func(ctx context.Context) error { return s.Download(ctx, url, "", nil) }},
	}
}

func processRefusals() []refusal {
	command := func() *process.Cmd { return &process.Cmd{Path: "/bin/true"} }
	return []refusal{
		{"process.ReadPipe", func(ctx context.Context) error { _, err := process.ReadPipe(ctx, nil); return err }},
		{"process.WritePipe", func(ctx context.Context) error { _, err := process.WritePipe(ctx, nil); return err }},
		{"process.Cmd.StdinPipe", func(ctx context.Context) error { _, err := command().StdinPipe(ctx); return err }},
		{"process.Cmd.StdoutPipe", func(ctx context.Context) error { _, err := command().StdoutPipe(ctx); return err }},
		{"process.Cmd.StderrPipe", func(ctx context.Context) error { _, err := command().StderrPipe(ctx); return err }},
		{"process.Cmd.Start", command().Start},
		{"process.Cmd.Wait", command().Wait},
		{"process.Cmd.Run", func(ctx context.Context) error { return command().Run(ctx) }},
		{"process.Cmd.Output", func(ctx context.Context) error { _, err := command().Output(ctx); return err }},
		{"process.Cmd.CombinedOutput", func(ctx context.Context) error { _, err := command().CombinedOutput(ctx); return err }},
		{"process.Cmd.Connect", func(ctx context.Context) error { _, err := command().Connect(ctx, nil); return err }},
		{"process.Cmd.Communicate", func(ctx context.Context) error { _, _, err := command().Communicate(ctx, nil); return err }},
	}
}

func terminalRefusals() []refusal {
	nothing := func(context.Context) error { panic("called") }
	return []refusal{
		{"terminal.Stdin", func(ctx context.Context) error { _, err := terminal.Stdin(ctx); return err }},
		{"terminal.Raw", func(ctx context.Context) error { return terminal.Raw(ctx, os.Stdin, nothing) }},
		{"terminal.ReadPassword", func(ctx context.Context) error { _, err := terminal.ReadPassword(ctx, ""); return err }},
		{"terminal.Sizes", func(ctx context.Context) (err error) {
			for _, err = range terminal.Sizes(ctx, os.Stdout) {
			}
			return err
		}},
	}
}

func fileRefusals(ctx context.Context, t *testing.T) []refusal {
	f, err := file.Create(ctx, filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.OS().Close() })
	buf := make([]byte, 1)
	var then time.Time
	return []refusal{
		{"file.Open", func(ctx context.Context) error { _, err := file.Open(ctx, "x"); return err }},
		{"file.Create", func(ctx context.Context) error { _, err := file.Create(ctx, "x"); return err }},
		{"file.CreateTemp", func(ctx context.Context) error { _, err := file.CreateTemp(ctx, "", "x"); return err }},
		{"file.MkdirTemp", func(ctx context.Context) error { _, err := file.MkdirTemp(ctx, "", "x"); return err }},
		{"file.ReadFile", func(ctx context.Context) error { _, err := file.ReadFile(ctx, "x"); return err }},
		{"file.WriteFile", func(ctx context.Context) error { return file.WriteFile(ctx, "x", buf, 0) }},
		{"file.Lines", func(ctx context.Context) (err error) {
			for _, err = range file.Lines(ctx, "x") {
			}
			return err
		}},
		{"file.Stat", func(ctx context.Context) error { _, err := file.Stat(ctx, "x"); return err }},
		{"file.Lstat", func(ctx context.Context) error { _, err := file.Lstat(ctx, "x"); return err }},
		{"file.ReadDir", func(ctx context.Context) error { _, err := file.ReadDir(ctx, "x"); return err }},
		{"file.Mkdir", func(ctx context.Context) error { return file.Mkdir(ctx, "x", 0) }},
		{"file.MkdirAll", func(ctx context.Context) error { return file.MkdirAll(ctx, "x", 0) }},
		{"file.Remove", func(ctx context.Context) error { return file.Remove(ctx, "x") }},
		{"file.RemoveAll", func(ctx context.Context) error { return file.RemoveAll(ctx, "x") }},
		{"file.Rename", func(ctx context.Context) error { return file.Rename(ctx, "x", "y") }},
		{"file.Link", func(ctx context.Context) error { return file.Link(ctx, "x", "y") }},
		{"file.Symlink", func(ctx context.Context) error { return file.Symlink(ctx, "x", "y") }},
		{"file.Readlink", func(ctx context.Context) error { _, err := file.Readlink(ctx, "x"); return err }},
		{"file.Truncate", func(ctx context.Context) error { return file.Truncate(ctx, "x", 0) }},
		{"file.Chmod", func(ctx context.Context) error { return file.Chmod(ctx, "x", 0) }},
		{"file.Chtimes", func(ctx context.Context) error { return file.Chtimes(ctx, "x", then, then) }},
		{"file.File.Read", func(ctx context.Context) error { _, err := f.Read(ctx, buf); return err }},
		{"file.File.ReadAt", func(ctx context.Context) error { _, err := f.ReadAt(ctx, buf, 0); return err }},
		{"file.File.Write", func(ctx context.Context) error { _, err := f.Write(ctx, buf); return err }},
		{"file.File.WriteAt", func(ctx context.Context) error { _, err := f.WriteAt(ctx, buf, 0); return err }},
		{"file.File.WriteTo", func(ctx context.Context) error { _, err := f.WriteTo(ctx, f); return err }},
		{"file.File.Seek", func(ctx context.Context) error { _, err := f.Seek(ctx, 0, io.SeekStart); return err }},
		{"file.File.Seek, end", func(ctx context.Context) error { _, err := f.Seek(ctx, 0, io.SeekEnd); return err }},
		{"file.File.ReadDir", func(ctx context.Context) error { _, err := f.ReadDir(ctx, 1); return err }},
		{"file.File.Stat", func(ctx context.Context) error { _, err := f.Stat(ctx); return err }},
		{"file.File.Sync", f.Sync},
		{"file.File.Truncate", func(ctx context.Context) error { return f.Truncate(ctx, 0) }},
		{"file.File.Chmod", func(ctx context.Context) error { return f.Chmod(ctx, 0) }},
		{"netio.LineReader", func(ctx context.Context) error { _, err := netio.NewLineReader(f).ReadLine(ctx); return err }},
		{"netio.Copy, of a file", func(ctx context.Context) error { _, err := netio.Copy(ctx, f, f); return err }},
	}
}

func netRefusals(ctx context.Context, t *testing.T) []refusal {
	ln, err := netio.Listen(ctx, "tcp", "10.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	dialed := task.Start(ctx, func(ctx context.Context) (*netio.Stream, error) {
		return netio.Dial(ctx, "tcp", "10.0.0.1:80")
	})
	s, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialed.Await(ctx); err != nil {
		t.Fatal(err)
	}
	closed, err := netio.Listen(ctx, "tcp", "10.0.0.1:81")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	var ended netio.Server
	ended.Close()
	handler := func(context.Context, *netio.Stream) error { return io.EOF }
	dial := netio.Dialer{}.DialFunc(ctx)
	socket, err := netio.ListenPacket(ctx, "udp", "10.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	to := netio.Packet{Addr: netip.MustParseAddrPort("10.0.0.1:53"), Data: []byte("x")}
	buf := make([]byte, 1)
	var names netio.Resolver
	var raw netio.Socket // no Socket exists in a simulation; the calls fail before they use it
	return []refusal{
		{"Dial", func(ctx context.Context) error { _, err := netio.Dial(ctx, "tcp", "10.0.0.1:80"); return err }},
		{"Dial, by name", func(ctx context.Context) error { _, err := netio.Dial(ctx, "tcp", "localhost:80"); return err }},
		{"DialFunc", func(ctx context.Context) error { _, err := dial(ctx, "tcp", "10.0.0.1:80"); return err }},
		{"LookupNetIP", func(ctx context.Context) error { _, err := names.LookupNetIP(ctx, "ip", "localhost"); return err }},
		{"LookupHost", func(ctx context.Context) error { _, err := names.LookupHost(ctx, "localhost"); return err }},
		{"LookupAddr", func(ctx context.Context) error { _, err := names.LookupAddr(ctx, "127.0.0.1"); return err }},
		{"LookupCNAME", func(ctx context.Context) error { _, err := names.LookupCNAME(ctx, "localhost"); return err }},
		{"LookupTXT", func(ctx context.Context) error { _, err := names.LookupTXT(ctx, "localhost"); return err }},
		{"LookupSRV", func(ctx context.Context) error { _, _, err := names.LookupSRV(ctx, "", "", "localhost"); return err }},
		{"LookupMX", func(ctx context.Context) error { _, err := names.LookupMX(ctx, "localhost"); return err }},
		{"LookupNS", func(ctx context.Context) error { _, err := names.LookupNS(ctx, "localhost"); return err }},
		{"StartTLS", func(ctx context.Context) error { return s.StartTLS(ctx, &tls.Config{InsecureSkipVerify: true}) }},
		{"AcceptTLS", func(ctx context.Context) error { return s.AcceptTLS(ctx, &tls.Config{}) }},
		{"DialTLS", func(ctx context.Context) error { _, err := netio.DialTLS(ctx, "tcp", "10.0.0.1:80", nil); return err }},
		{"ListenPacket", func(ctx context.Context) error { _, err := netio.ListenPacket(ctx, "udp", ":0"); return err }},
		{"Receive", func(ctx context.Context) error { _, err := socket.Receive(ctx, buf); return err }},
		{"ReceiveBatch", func(ctx context.Context) error { _, err := socket.ReceiveBatch(ctx, []netio.Packet{to}); return err }},
		{"Send", func(ctx context.Context) error { return socket.Send(ctx, to) }},
		{"SendBatch", func(ctx context.Context) error { _, err := socket.SendBatch(ctx, []netio.Packet{to}); return err }},
		{"NetPacketConn, ReadFrom", func(ctx context.Context) error { _, _, err := socket.NetPacketConn(ctx).ReadFrom(buf); return err }},
		{"NetPacketConn, WriteTo", func(ctx context.Context) error {
			_, err := socket.NetPacketConn(ctx).WriteTo(buf, socket.LocalAddr())
			return err
		}},
		{"Listen", func(ctx context.Context) error { _, err := netio.Listen(ctx, "tcp", ":0"); return err }},
		{"FileListener", func(ctx context.Context) error { _, err := netio.FileListener(ctx, nil); return err }},
		{"FileStream", func(ctx context.Context) error { _, err := netio.FileStream(ctx, nil); return err }},
		{"FilePacketConn", func(ctx context.Context) error { _, err := netio.FilePacketConn(ctx, nil); return err }},
		{"Listen, by name", func(ctx context.Context) error { _, err := netio.Listen(ctx, "tcp", "localhost:0"); return err }},
		{"Accept", func(ctx context.Context) error { _, err := ln.Accept(ctx); return err }},
		{"Serve", func(ctx context.Context) error { return netio.Serve(ctx, "tcp", ":0", handler) }},
		{"ServeListener, ended", func(ctx context.Context) error { return ended.ServeListener(ctx, closed, handler) }},
		{"Shutdown", func(ctx context.Context) error { return new(netio.Server).Shutdown(ctx) }},
		{"Read", func(ctx context.Context) error { _, err := s.Read(ctx, buf); return err }},
		{"Read, until shutdown", func(ctx context.Context) error {
			until, release := netio.UntilShutdown(ctx)
			defer release()
			_, err := s.Read(until, buf)
			return err
		}},
		{"ReadAll", func(ctx context.Context) error { _, err := s.ReadAll(ctx, 1); return err }},
		{"ReadFull", func(ctx context.Context) error { _, err := s.ReadFull(ctx, buf); return err }},
		{"Peek", func(ctx context.Context) error { _, err := s.Peek(ctx, 1); return err }},
		{"ReadLine", func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err }},
		{"ReadUntil", func(ctx context.Context) error { _, err := s.ReadUntil(ctx, []byte("x")); return err }},
		{"Lines", func(ctx context.Context) (err error) {
			for _, err = range s.Lines(ctx) {
			}
			return err
		}},
		{"Copy", func(ctx context.Context) error { _, err := netio.Copy(ctx, s, s); return err }},
		{"Write", func(ctx context.Context) error { _, err := s.Write(ctx, buf); return err }},
		{"WriteFiles", func(ctx context.Context) error { _, err := s.WriteFiles(ctx, buf); return err }},
		{"ReadFiles", func(ctx context.Context) error { _, _, err := s.ReadFiles(ctx, buf, 1); return err }},
		{"WriteBuffers", func(ctx context.Context) error { _, err := s.WriteBuffers(ctx, buf, buf); return err }},
		{"AdoptSocket", func(ctx context.Context) error { _, err := netio.AdoptSocket(ctx, 0); return err }},
		{"Socket.Receive", func(ctx context.Context) error { _, err := raw.Receive(ctx, buf); return err }},
		{"Socket.ReceiveFrom", func(ctx context.Context) error { _, _, err := raw.ReceiveFrom(ctx, buf); return err }},
		{"Socket.SendAll", func(ctx context.Context) error { _, err := raw.SendAll(ctx, buf); return err }},
		{"Socket.SendTo", func(ctx context.Context) error { return raw.SendTo(ctx, buf, nil) }},
		{"Socket.Connect", func(ctx context.Context) error { return raw.Connect(ctx, nil) }},
		{"Socket.Accept", func(ctx context.Context) error { _, _, err := raw.Accept(ctx); return err }},
		{"SendFile", func(ctx context.Context) error { _, err := s.SendFile(ctx, os.Stdin, 0, 1); return err }},
		{"NetConn, Read", func(ctx context.Context) error { _, err := s.NetConn(ctx).Read(buf); return err }},
		{"NetListener, Accept", func(ctx context.Context) error { _, err := ln.NetListener(ctx).Accept(); return err }},
		{"NetConn, Write", func(ctx context.Context) error { _, err := s.NetConn(ctx).Write(buf); return err }},
	}
}
