// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table of figures in README.md consists of rows of docs/figures.md.
func TestFiguresOfReadmeAreMeasured(t *testing.T) {
	measured, err := os.ReadFile(filepath.Join(root, "docs", "figures.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, figures, _ := strings.Cut(string(readme), "\n## Figures\n")
	figures, _, _ = strings.Cut(figures, "\n## ")
	seen := 0
	for row := range strings.Lines(figures) {
		if strings.HasPrefix(row, "|") {
			seen++
			if !strings.Contains(string(measured), row) {
				t.Errorf("README.md has a row that docs/figures.md does not have: %s", row)
			}
		}
	}
	if seen < 5 {
		t.Errorf("README.md has only %d rows of figures", seen)
	}
}

// The two documents that everyone reads stay short.
func TestDocumentsStayShort(t *testing.T) {
	for name, limit := range map[string]int{"README.md": 120, "docs/design.md": 350, "CONTRIBUTING.md": 60} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > limit {
			t.Errorf("%s has %d lines, want at most %d", name, n, limit)
		}
	}
}
