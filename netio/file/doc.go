// SPDX-License-Identifier: Apache-2.0

// Package file reads and writes files while other tasks run.
//
// Its calls have the names, flags and errors of package os, and take a ctx first:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//
//		"baton/netio/file"
//		"baton/task"
//	)
//
//	func main() {
//		task.Main(func(ctx context.Context) error {
//			for line, err := range file.Lines(ctx, "/etc/hosts") {
//				if err != nil {
//					return err
//				}
//				fmt.Println(line)
//			}
//			return nil
//		})
//	}
//
// [ReadFile] and [WriteFile] transfer whole files. [Open] and [Create] return a [File], whose
// methods transfer parts. [netio.Copy] copies a stream into a File, and a File into a stream;
// the kernel sends the file where it can.
//
// A read of a file may take as long as the disk needs, and the kernel has no way to wait for
// that: a poller always reports a file as ready. So calls run in the executor of the loop.
// The executor has a limit (loop.Config.MaxJobs); further calls wait until a goroutine is
// free. On Linux, short reads of what is in memory need no executor. A cancel does not
// interrupt an operation that the kernel has begun, but it ends a call that has not begun.
// For pipes, terminals and other files that are not regular files or directories, use package
// process.
//
// # Other file systems
//
// A [System] is where the files are. The default is [Host]. [WithSystem] sets another System
// for a context: to test what a program does when the disk is full, or to keep files in
// memory. In a simulated world (package sim) the default is also Host.
package file
