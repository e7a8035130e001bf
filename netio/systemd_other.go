// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package netio

import "os"

// SystemdFiles returns nil: systemd is only on Linux.
func SystemdFiles() ([]*os.File, error) { return nil, nil }
