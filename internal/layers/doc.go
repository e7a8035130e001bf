// SPDX-License-Identifier: Apache-2.0

// Package layers tests which package may import which. It contains no code for
// programs.
//
// The packages of baton form layers, and each imports only lower ones: a poller
// knows no callbacks, a loop knows no tasks, and a task knows no I/O. So each can be
// read, tested and replaced alone. The table is in layers_test.go. An import that the
// table does not allow fails the test.
//
// Add a new package to the row for which it was designed. To move a package to
// another row is a decision about the design: record the reason in docs/design.md.
//
// External test packages and nested modules are exempt, because they see only what
// every user sees.
package layers
