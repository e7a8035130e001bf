// SPDX-License-Identifier: Apache-2.0

package poll

import "os"

// A FilePart is what a SendFile sends: Count bytes of File, from Offset on. File may be
// closed at any time.
type FilePart struct {
	File   *os.File
	Offset int64
	Count  int
}
