// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package file_test

// runLimited does nothing: limited processes need UNIX.
func runLimited() bool { return false }
