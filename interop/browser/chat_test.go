// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"baton/internal/porttest"
)

// A server is a process of the program examples/wssrv.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Scanner
	addr string
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wssrv")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = "../../examples/wssrv"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// start starts the program.
func start(t *testing.T, path, port string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, "--port", port)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	s := &server{t: t, cmd: cmd, out: bufio.NewScanner(out)}
	s.addr = strings.TrimPrefix(s.line(), "serving on ")
	return s
}

func (s *server) line() string {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatal("the server has ended")
	}
	return s.out.Text()
}

// prints checks that the server prints lines.
func (s *server) prints(wants ...string) {
	s.t.Helper()
	for _, want := range wants {
		if got := s.line(); got != want {
			s.t.Errorf("the server printed %q, want %q", got, want)
		}
	}
}

// interrupt ends the server with SIGINT.
func (s *server) interrupt() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Error(err)
	}
	for s.out.Scan() {
	}
	_ = s.cmd.Wait()
	if code := s.cmd.ProcessState.ExitCode(); code != 130 {
		s.t.Errorf("the exit code of the server is %d", code)
	}
}

// join enters a name.
func (w *window) join(name string) {
	w.t.Helper()
	w.do(chromedp.WaitVisible("#name"), chromedp.SendKeys("#name", name+kb.Enter))
	w.reads("#state", "Connected")
	w.reads("#log", "You joined as "+name+".")
}

// say sends a message.
func (w *window) say(text string) {
	w.t.Helper()
	w.do(chromedp.SendKeys("#text", text+kb.Enter))
}

// picture takes a screenshot. go test -artifacts keeps the file.
func (w *window) picture(name string) {
	w.t.Helper()
	var png []byte
	w.do(chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(w.t.ArtifactDir(), name+".png"), png, 0o644); err != nil {
		w.t.Error(err)
	}
}

// dark makes the page use its dark colours.
func dark() chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}})
}

// Two users chat in a browser, one of them on a phone. The server ends and starts again, and the
// pages connect again.
func TestChat(t *testing.T) {
	program := build(t)
	_, port := porttest.Reserve(t)
	srv := start(t, program, port)
	b := newBrowser(t)

	desk := b.open("http://" + srv.addr + "/")
	desk.do(chromedp.EmulateViewport(1100, 700))
	desk.picture("desk-enter")
	desk.join("Ada")
	phone := b.open("http://" + srv.addr + "/")
	phone.do(chromedp.EmulateViewport(390, 760, chromedp.EmulateMobile, chromedp.EmulateScale(2)), dark())
	phone.picture("phone-enter")
	phone.join("Bob")
	srv.prints("Someone joined.", "Someone joined.")
	desk.reads("#log", "Bob joined.")
	desk.reads("#here", "2 people here")

	desk.say("Hello Bob, <b>how</b> are you?")
	phone.reads("li:last-child", "Ada")
	phone.reads("li:last-child p", "Hello Bob, <b>how</b> are you?")
	desk.reads("li.mine p", "Hello Bob")
	phone.say("Fine! And here is a longer message, which does not fit into one line of a phone, nor of that window.")
	desk.reads("li:last-child p", "And here is")
	desk.picture("desk-light")
	phone.picture("phone-dark")

	srv.interrupt()
	desk.reads("#log", "The connection was lost.")
	desk.reads("#state", "Offline")
	desk.do(chromedp.SendKeys("#text", "written while offline"+kb.Enter))
	desk.sees(`document.querySelector("#send").disabled && document.querySelector("#text").value !== ""`)
	desk.picture("desk-offline")
	srv = start(t, program, port)
	desk.reads("#state", "Connected")
	phone.reads("#state", "Connected")
	srv.prints("Someone joined.", "Someone joined.")
	desk.reads("#here", "2 people here")
	desk.do(chromedp.SendKeys("#text", kb.Enter))
	phone.reads("li:last-child p", "written while offline")

	for range 20 {
		desk.say("a line of many")
	}
	desk.sees(`document.querySelectorAll("li.mine").length === 22`)
	atEnd := `(s => s.scrollTop + s.clientHeight > s.scrollHeight - 10)(document.querySelector("#scroll"))`
	desk.sees(atEnd)
	desk.do(chromedp.Evaluate(`document.querySelector("#scroll").scrollTop = 0`, nil))
	phone.say("the newest")
	desk.reads("li:last-child p", "the newest")
	desk.sees(`!document.querySelector("#newer").hidden`)
	desk.sees("!" + atEnd)
	desk.picture("desk-newer")
	desk.do(chromedp.Click("#newer", chromedp.ByQuery))
	desk.sees(`document.querySelector("#newer").hidden`)
	desk.sees(atEnd)

	phone.close()
	srv.prints("Someone left.")
	desk.reads("#log", "Bob left.")
	desk.reads("#here", "only you are here")
	desk.do(dark())
	desk.picture("desk-dark")
	desk.close()
	srv.prints("Someone left.")
	srv.interrupt()
}
