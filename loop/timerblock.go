// SPDX-License-Identifier: Apache-2.0

package loop

// A timerBlock is the memory of buckets, which come and go as time passes: one
// that empties leaves its blocks to the others. So a bucket grows without being
// copied, all together need little more than their timers do, and timers that
// move from bucket to bucket allocate nothing.
type timerBlock [blockLen]timerNode

// blockLen makes a block 1.5 KiB, which is a size class of the allocator.
const blockLen = 64

// freeBlocks are blocks without timers, ready for the next bucket that grows.
type freeBlocks []*timerBlock

// keptBlocks is how many of them are kept: 384 KiB, for 16,000 timers. What a
// larger burst has needed goes back to the collector.
const keptBlocks = 256

// keptList is the longest list of blocks that an empty bucket keeps.
const keptList = 64

func (f *freeBlocks) take() *timerBlock {
	last := len(*f) - 1
	if last < 0 {
		return new(timerBlock)
	}
	b := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	return b
}

func (f *freeBlocks) put(b *timerBlock) {
	if len(*f) < keptBlocks {
		*f = append(*f, b)
	}
}
