// SPDX-License-Identifier: Apache-2.0

// Package docs tests the written documentation. It contains no code for programs.
//
// The tests read README.md, CONTRIBUTING.md, CHANGELOG.md, examples/README.md and docs,
// and check that
//
//   - every qualified name in backquotes, such as `netio.Stream.Read`, is declared in
//     that package of this module or of the standard library;
//   - every block of Go code is a copy of code in the file that the comment above the
//     block names (<!-- from examples/echo/main.go -->), so that tests compile and run it;
//   - links, paths, packages in commands and environment variables exist;
//   - docs/map.md has a line for every file, and no line for a file that is gone;
//   - the figures of README.md are rows of docs/figures.md;
//   - every exported type has an example.
//
// So a document describes planned features in words, without names in backquotes.
package docs
