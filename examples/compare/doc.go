// SPDX-License-Identifier: Apache-2.0

// Package compare has no code. Its directories are programs that are written twice, with
// Baton's tasks and with goroutines. Both have the same behaviour and the same tests.
//
//   - crawler fetches the pages of web sites
//   - chat is a chat room
//   - proxy is a proxy that limits connections
//   - report compares the two implementations of each program: go run ./examples/compare/report
//
// Package NAME of a program has what both implementations share, and the tests. The packages
// NAME/tasks and NAME/goroutines are the implementations. The page docs/goroutines.md has the
// results of the comparison.
package compare
