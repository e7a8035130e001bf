// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package netio

import "os"

// SystemdFiles returns nil: there is no systemd here.
func SystemdFiles() ([]*os.File, error) { return nil, nil }
