// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"context"
	"fmt"
	"os/exec"
	"testing"

	"golang.org/x/sync/errgroup"

	"baton/await"
	"baton/netio/process"
	"baton/task"
)

// BenchmarkSpawn runs /bin/true with its output, one by one and several at a time, and
// with package os/exec for comparison.
func BenchmarkSpawn(b *testing.B) {
	for _, width := range []int{1, 16} {
		b.Run(fmt.Sprintf("process/%d", width), func(b *testing.B) {
			err := task.Run(context.Background(), func(ctx context.Context) error {
				_, err := await.MapN(ctx, width, make([]struct{}, b.N), func(ctx context.Context, _ struct{}) ([]byte, error) {
					return process.Command("/bin/true").Output(ctx)
				})
				return err
			})
			if err != nil {
				b.Error(err)
			}
		})
		b.Run(fmt.Sprintf("exec/%d", width), func(b *testing.B) {
			var g errgroup.Group
			g.SetLimit(width)
			for range b.N {
				g.Go(func() error {
					_, err := exec.Command("/bin/true").Output()
					return err
				})
			}
			if err := g.Wait(); err != nil {
				b.Error(err)
			}
		})
	}
}
