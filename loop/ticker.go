// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A ticker is the watchdog's sense of time. All but close belong to the
// watchdog's goroutine.
type ticker interface {
	// start has wait return after every tick from now on; stop ends that.
	start(tick time.Duration)
	stop()

	// wait waits for a tick. False means that the ticker is closed.
	wait() bool

	// close ends a wait in progress and all later ones. Safe from every goroutine.
	close()
}

// goTicker is a ticker on Go's own timers. It serves where the kernel has none,
// or no descriptor is left.
type goTicker struct {
	timer  *time.Ticker
	closed chan struct{}
}

// newGoTicker returns a stopped ticker; the hour never passes.
func newGoTicker() *goTicker {
	t := &goTicker{timer: time.NewTicker(time.Hour), closed: make(chan struct{})}
	t.timer.Stop()
	return t
}

func (t *goTicker) start(tick time.Duration) { t.timer.Reset(tick) }
func (t *goTicker) stop()                    { t.timer.Stop() }

func (t *goTicker) wait() bool {
	select {
	case <-t.timer.C:
		return true
	case <-t.closed:
		return false
	}
}

func (t *goTicker) close() {
	t.timer.Stop()
	close(t.closed)
}
