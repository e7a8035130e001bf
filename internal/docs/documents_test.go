// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// root is the directory of the module, relative to the directory of this package.
const root = "../.."

// A document is a parsed Markdown file.
type document struct {
	name   string // relative to root
	blocks []block
	spans  []string // inline code
	prose  string   // without blocks
}

// A block is a fenced block of code.
type block struct {
	line     int    // of the fence
	language string // after the fence
	above    string // the line above the fence
	text     string
}

var span = regexp.MustCompile("`([^`]+)`")

// documents reads all documents.
func documents(t *testing.T) []document {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || more == nil {
		t.Fatalf("no documents in docs (%v)", err)
	}
	for _, path := range more {
		names = append(names, "docs/"+filepath.Base(path))
	}
	var all []document
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(name, string(text)))
	}
	return all
}

func parse(name, text string) document {
	d := document{name: name}
	var prose strings.Builder
	var open *block
	above := ""
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 1, language: language, above: above}
		case fence:
			d.blocks = append(d.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		default:
			prose.WriteString(line + "\n")
		}
		above = line
	}
	d.prose = prose.String()
	for _, m := range span.FindAllStringSubmatch(d.prose, -1) {
		d.spans = append(d.spans, m[1])
	}
	return d
}

var origin = regexp.MustCompile(`^<!-- from (\S+) -->$`)

// A block of Go code in a document is a copy of code that the tests compile.
func TestBlocksOfGoAreCopies(t *testing.T) {
	seen := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "go" {
				continue
			}
			seen++
			from := origin.FindStringSubmatch(b.above)
			if from == nil {
				t.Errorf("%s:%d: no comment above names the file of this code", d.name, b.line)
				continue
			}
			source, err := os.ReadFile(filepath.Join(root, from[1]))
			if err != nil {
				t.Errorf("%s:%d: %v", d.name, b.line, err)
			} else if !strings.Contains(string(source), b.text) {
				t.Errorf("%s:%d: this code is not in %s", d.name, b.line, from[1])
			}
		}
	}
	if seen < 2 {
		t.Errorf("only %d blocks of Go in all documents", seen)
	}
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	runs      = regexp.MustCompile(`go run (\./[\w./-]+)`)
	pathName  = regexp.MustCompile(`^\.?[a-z0-9_][\w./-]*$`)
	shellName = regexp.MustCompile(`\bBATON_[A-Z]+\b`)
)

func TestPathsExist(t *testing.T) {
	seen := 0
	exists := func(document, path string) {
		seen++
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Errorf("%s names %s: %v", document, path, err)
		}
	}
	for _, d := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(d.prose, -1) {
			if target, _, _ := strings.Cut(m[1], "#"); target != "" && !strings.Contains(target, ":") {
				exists(d.name, filepath.Join(filepath.Dir(d.name), target))
			}
		}
		code := slices.Clone(d.spans)
		for _, b := range d.blocks {
			code = append(code, b.text)
		}
		for _, c := range code {
			for _, m := range runs.FindAllStringSubmatch(c, -1) {
				exists(d.name, m[1])
			}
		}
		for _, s := range d.spans {
			if pathName.MatchString(s) && ours(s) {
				exists(d.name, s)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d paths in all documents", seen)
	}
}

// examples/README.md lists every example. Every example in examples/quick.txt exists.
func TestExamplesAreListed(t *testing.T) {
	dir := filepath.Join(root, "examples")
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "internal" {
			names = append(names, e.Name())
			if row := "[" + e.Name() + "](" + e.Name() + ")"; !strings.Contains(string(text), row) {
				t.Errorf("examples/README.md does not have %s", row)
			}
		}
	}
	quick, err := os.ReadFile(filepath.Join(dir, "quick.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(quick)) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 && !slices.Contains(names, fields[0]) {
			t.Errorf("examples/quick.txt has %s, which is not an example", fields[0])
		}
	}
}

// ours reports whether a path with a slash begins with a directory of the repository.
// A path with NAME in it is a pattern, and not checked.
func ours(s string) bool {
	first, rest, ok := strings.Cut(s, "/")
	if !ok || strings.Contains(rest, "NAME") {
		return false
	}
	info, err := os.Stat(filepath.Join(root, first))
	return err == nil && info.IsDir()
}

// Every environment variable in a document is used by the sources.
func TestEnvironmentVariablesExist(t *testing.T) {
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, shellName.FindAllString(string(text), -1)...)
	}
	seen := 0
	for _, d := range documents(t) {
		text := d.prose
		for _, b := range d.blocks {
			text += b.text
		}
		for _, name := range shellName.FindAllString(text, -1) {
			seen++
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, but no source file does", d.name, name)
			}
		}
	}
	if seen == 0 {
		t.Error("no document names an environment variable")
	}
}

// sources returns the Go files of the module except tests.
func sources() (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name()[0] == '.' || d.Name() == "testdata"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !isTest(path):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.go") }
