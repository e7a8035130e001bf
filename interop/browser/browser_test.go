// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience limits the time of a test. It only ends a test that hangs.
const patience = 5 * time.Minute

// A browser is a Chromium that ends with the test and connects only to this machine.
type browser struct {
	ctx context.Context
	t   *testing.T
}

// flags prevent connections to other machines, and the use of a screen.
var flags = map[string]any{
	"headless":                 "new",
	"no-sandbox":               true, // required if the user is root
	"disable-gpu":              true,
	"disable-component-update": true,
	"disable-component-extensions-with-background-pages": true,
	"disable-domain-reliability":                         true,
	"disable-crash-reporter":                             true,
	"no-pings":                                           true,
	"no-proxy-server":                                    true,
	"host-resolver-rules":                                "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
	"disable-features":                                   "Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,NetworkTimeServiceQuerying",
}

// newBrowser starts a browser.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test needs chromium: apt-get install chromium (%v)", err)
	}
	home := t.TempDir()
	var chromium *exec.Cmd // the leader of a process group
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WSURLReadTimeout(patience),
		chromedp.UserDataDir(filepath.Join(home, "data")), chromedp.Env("HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			chromium = cmd
		}))
	for name, value := range flags {
		options = append(options, chromedp.Flag(name, value))
	}
	limited, cancel := context.WithTimeout(context.Background(), patience)
	allocated, end := chromedp.NewExecAllocator(limited, options...)
	ctx, quit := chromedp.NewContext(allocated, chromedp.WithBrowserOption(chromedp.WithDialTimeout(0)))
	t.Cleanup(func() {
		quit() // kills Chromium
		end()
		cancel()
		if chromium != nil && chromium.Process != nil {
			_ = syscall.Kill(-chromium.Process.Pid, syscall.SIGKILL) // processes that remain
		}
		began := time.Now()
		for left := processes(t, home); len(left) > 0; left = processes(t, home) {
			if time.Since(began) > patience {
				t.Fatalf("processes still run:\n%s", strings.Join(left, "\n"))
			}
			runtime.Gosched() // until the kernel has removed them
		}
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx, t}
}

// processes returns the command lines that contain dir.
func processes(t *testing.T, dir string) (found []string) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		if command, err := os.ReadFile(file); err == nil && bytes.Contains(command, []byte(dir)) {
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// A window is a window of the browser with its own profile.
type window struct {
	ctx   context.Context
	t     *testing.T
	close func()
}

// open opens a page in a new window.
func (b *browser) open(url string) *window {
	b.t.Helper()
	var id target.ID
	b.do(func(ctx context.Context) error {
		profile, err := target.CreateBrowserContext().Do(ctx)
		if err != nil {
			return err
		}
		id, err = target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
		return err
	})
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	// The cancel also closes the window, but gives up after a second.
	w := &window{ctx, b.t, func() { b.do(target.CloseTarget(id).Do); cancel() }}
	b.t.Cleanup(cancel)
	w.do(chromedp.Navigate(url))
	return w
}

// do sends commands to the browser, as opposed to a window.
func (b *browser) do(commands func(ctx context.Context) error) {
	b.t.Helper()
	err := chromedp.Run(b.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		return commands(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser))
	}))
	if err != nil {
		b.t.Fatal(err)
	}
}

// do executes actions of a user, in order.
func (w *window) do(actions ...chromedp.Action) {
	w.t.Helper()
	if err := chromedp.Run(w.ctx, actions...); err != nil {
		w.t.Fatal(err)
	}
}

// sees waits until a JavaScript expression is true.
func (w *window) sees(expression string) {
	w.t.Helper()
	// With an interval: a window in the background gets no animation frames.
	poll := chromedp.Poll(expression, nil, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0))
	for {
		err := chromedp.Run(w.ctx, poll)
		if err == nil {
			return
		}
		// Chromedp may poll a document that the browser has just replaced.
		if gone, ok := errors.AsType[*cdproto.Error](err); !ok || gone.Code != -32000 {
			w.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// reads waits until an element contains a text.
func (w *window) reads(selector, text string) {
	w.t.Helper()
	w.sees(`(document.querySelector("` + selector + `")?.innerText ?? "").includes("` + text + `")`)
}
