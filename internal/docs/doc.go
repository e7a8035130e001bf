// SPDX-License-Identifier: Apache-2.0

// Package docs keeps the written documents true. It is a test, and holds no
// code that a program could use.
//
// A document rots silently: a renamed function stays in the README, an example
// is changed and its copy is not. So in README.md, CONTRIBUTING.md, CHANGELOG.md
// and docs/ the tests check
//
//   - that every name in backquotes that is qualified by a package, as
//     `netio.Stream.Read`, is declared in that package, of this module or of the
//     standard library;
//   - that every block of Go code says in a comment above it from which file it
//     is (<!-- from examples/echo/main.go -->), and is a copy of it: so it
//     compiles, and is tested where it lives;
//   - that links inside the repository, packages in commands and paths of
//     directories lead somewhere, and that environment variables are read.
//
// What is planned and not yet there must therefore be described in words.
package docs
