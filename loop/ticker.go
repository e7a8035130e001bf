// SPDX-License-Identifier: Apache-2.0

package loop

import "time"

// A ticker is the watchdog's source of time. All methods except close are for the
// watchdog's goroutine only.
type ticker interface {
	// start makes wait return after every tick; stop ends that.
	start(tick time.Duration)
	stop()

	// wait blocks until the next tick. It returns false if the ticker is closed.
	wait() bool

	// close ends the current wait and all later ones. It is safe for concurrent use.
	close()
}

// A goTicker is a ticker on Go's own timers. It is used if the kernel has no suitable
// timer, or if no descriptor is left.
type goTicker struct {
	timer  *time.Ticker
	closed chan struct{}
}

// newGoTicker returns a stopped ticker. The hour never passes.
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
