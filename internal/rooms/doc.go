// SPDX-License-Identifier: Apache-2.0

// Package rooms keeps the order of the house: which package may import which.
// It is a table and a test, and holds no code that a program could use.
//
// The packages of baton stand on each other like the rooms of a house stand on
// the floors below, and each knows only what is under it: a poller nothing of
// callbacks, a loop nothing of tasks, a task nothing of I/O. That is what lets
// one of them be read, tested or replaced alone, and it is lost one convenient
// import at a time. So the table is data, in rooms_test.go, and an import that
// it does not allow fails the test suite.
//
// A new package belongs in the table, in the row it was designed for; the test
// fails until it is there. Moving a row is a decision about the design: its
// reason goes into docs/design.md.
//
// External test packages are exempt, and so are the nested modules: they stand
// outside and see what any other user sees.
package rooms
