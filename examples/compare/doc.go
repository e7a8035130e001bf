// SPDX-License-Identifier: Apache-2.0

// Package compare has no code. Its directories are programs that are written twice, with
// Baton's tasks and with plain goroutines: the same behaviour, and the same tests for both.
//
//   - crawler fetches the pages of web sites
//   - chat is a chat room
//   - proxy is a proxy that limits connections
//   - report compares the two implementations of each program: go run ./examples/compare/report
//
// A program NAME has a package of its own with what both implementations share and with the
// tests, and the packages NAME/tasks and NAME/goroutines. The page docs/goroutines.md shows
// what the comparison finds.
package compare
