// SPDX-License-Identifier: Apache-2.0

// Package file reads and writes files while other tasks run.
//
// Its calls have the names, flags and errors of package os, and take a ctx first:
//
//	data, err := file.ReadFile(ctx, "config.json")
//
//	for line, err := range file.Lines(ctx, "words") {
//		…
//	}
//
//	f, err := file.Create(ctx, "page.html")
//	if err != nil {
//		return err
//	}
//	defer f.Close(ctx)
//	n, err := netio.Copy(ctx, f, s) // from a stream into a file
//
// [netio.Copy] from a File into a stream has the kernel send the file, where it can.
//
// The kernel has no way to wait for a file: a file is always "ready", and a read of it may
// take as long as the disk does. So calls run in the executor of the loop, which is bounded
// (loop.Config.MaxJobs): the rest wait for their turn. On Linux short reads of what is in
// memory need no executor. A cancel does not interrupt what the
// kernel has begun, but a call that has not begun ends at once. What is not a regular file
// or a directory, such as a pipe or a terminal, is for package process.
//
// # Where the files are
//
// A [System] is where the files are, by default [Host]. Under [WithSystem] there is another
// one: for tests of what a program does when the disk is full, or for files in memory. In a
// simulated world (package sim) the files are the host's, too.
package file
