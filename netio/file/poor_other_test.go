// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package file_test

// poor is for systems of the UNIX sort.
func poor() bool { return false }
