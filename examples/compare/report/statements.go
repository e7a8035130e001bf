// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
)

// A mutant is a source with a deleted statement, or with a forgotten lock: without a Lock and
// the deferred Unlock after it.
type mutant struct {
	lock       bool
	file       string
	line       int
	begin, end int // the position of the statement, in bytes
	statement  string
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s", filepath.Base(m.file), m.line, m.statement)
}

// mutants returns a mutant for each statement of the sources in dir, also for inner statements
// and for the cases of a select or switch. It also returns a mutant for each lock that can be
// forgotten. Some mutants do not compile.
func mutants(dir string) ([]mutant, error) {
	files, err := sources(dir)
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, text, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			add := func(lock bool, first, last ast.Stmt) {
				begin, end := set.Position(first.Pos()), set.Position(last.End())
				all = append(all, mutant{lock, name, begin.Line, begin.Offset, end.Offset,
					brief(text[begin.Offset:end.Offset])})
			}
			statements := list(n)
			for i, statement := range statements {
				add(false, statement, statement)
				if i > 0 && locks(statements[i-1], statement) {
					add(true, statements[i-1], statement)
				}
			}
			return true
		})
	}
	return all, nil
}

// list returns the list of statements of a node.
func list(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}

// locks reports whether two statements are x.Lock() and defer x.Unlock().
func locks(first, second ast.Stmt) bool {
	lock, ok := first.(*ast.ExprStmt)
	unlock, deferred := second.(*ast.DeferStmt)
	return ok && deferred && strings.Contains(types.ExprString(lock.X), ".Lock()") &&
		strings.HasSuffix(types.ExprString(unlock.Call), ".Unlock()")
}

// brief returns the first line of a statement.
func brief(text []byte) string {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if len(rest) > 0 {
		return strings.TrimSpace(string(first)) + " ..."
	}
	return string(first)
}

// source returns the file without the statement. Blanks replace the statement, so that the
// other statements keep their lines.
func (m mutant) source() ([]byte, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return nil, err
	}
	for i := m.begin; i < m.end; i++ {
		if text[i] != '\n' {
			text[i] = ' '
		}
	}
	return text, nil
}
