// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// cpuTime fails: this system does not report the CPU time of another process.
func cpuTime(int) (time.Duration, error) {
	return 0, fmt.Errorf("CPU time of a process: %w", errors.ErrUnsupported)
}

// cpuOfChildren is not called on this system.
func cpuOfChildren() (time.Duration, error) { return 0, errors.ErrUnsupported }
