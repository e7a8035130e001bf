// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// cpuTime of another process is nothing we can ask for here.
func cpuTime(int) (time.Duration, error) {
	return 0, fmt.Errorf("CPU time of a process: %w", errors.ErrUnsupported)
}

// cpuOfChildren is never asked for here.
func cpuOfChildren() (time.Duration, error) { return 0, errors.ErrUnsupported }
