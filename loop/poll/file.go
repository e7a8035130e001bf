// SPDX-License-Identifier: Apache-2.0

package poll

import "os"

// A FilePart is what SendFile sends: Count bytes of File, beginning at Offset. File may be
// closed at any time, even during the operation.
type FilePart struct {
	File   *os.File
	Offset int64
	Count  int
}
