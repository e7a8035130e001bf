// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// standard are the packages of the standard library that documents speak of,
// besides those of this module.
var standard = []string{
	"context", "crypto/tls", "errors", "fmt", "io", "iter", "net", "net/http", "os", "runtime", "runtime/pprof",
	"sync", "testing", "time",
}

// declarations are what a package declares: functions, types, values, and the
// methods and fields of a type as "Type.Name". Types it embeds count as theirs.
type declarations struct {
	names    map[string]bool
	embedded map[string][]string
}

func (d *declarations) has(name string) bool {
	if d.names[name] {
		return true
	}
	typ, member, ok := strings.Cut(name, ".")
	return ok && slices.ContainsFunc(d.embedded[typ], func(inner string) bool { return d.has(inner + "." + member) })
}

// add reads one file. Build tags do not matter: what one system has is named
// as well.
func (d *declarations) add(file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			name := decl.Name.Name
			if decl.Recv != nil {
				name = receiver(decl.Recv.List[0].Type) + "." + name
			}
			d.names[name] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				d.addSpec(spec)
			}
		}
	}
}

func (d *declarations) addSpec(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			d.names[name.Name] = true
		}
	case *ast.TypeSpec:
		typ := spec.Name.Name
		d.names[typ] = true
		switch body := spec.Type.(type) {
		case *ast.StructType:
			d.addFields(typ, body.Fields)
		case *ast.InterfaceType:
			d.addFields(typ, body.Methods)
		}
	}
}

func (d *declarations) addFields(typ string, fields *ast.FieldList) {
	for _, field := range fields.List {
		for _, name := range field.Names {
			d.names[typ+"."+name.Name] = true
		}
		if field.Names == nil {
			d.embedded[typ] = append(d.embedded[typ], receiver(field.Type))
		}
	}
}

// receiver is the name of a type without its star and type parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// packages are all that a document may speak of, by name: what this module
// declares, and the packages of standard. They are read once for all tests.
var packages = sync.OnceValues(func() (map[string]*declarations, error) {
	files, err := sources()
	if err != nil {
		return nil, err
	}
	for _, path := range standard {
		p, err := build.Import(path, "", build.FindOnly)
		if err != nil {
			return nil, err
		}
		found, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			return nil, err
		}
		files = append(files, slices.DeleteFunc(found, isTest)...)
	}
	all := make(map[string]*declarations)
	fset := token.NewFileSet()
	for _, path := range files {
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		name := file.Name.Name
		if all[name] == nil {
			all[name] = &declarations{make(map[string]bool), make(map[string][]string)}
		}
		all[name].add(file)
	}
	delete(all, "main") // no other package can use one
	return all, nil
})

// qualified finds pkg.Name and pkg.Type.Name.
var qualified = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)

// TestNames: every qualified name exists.
func TestNames(t *testing.T) {
	known, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, d := range documents(t) {
		for _, s := range d.spans {
			for _, m := range qualified.FindAllStringSubmatch(s, -1) {
				seen++
				switch p := known[m[1]]; {
				case p == nil:
					t.Errorf("%s speaks of `%s`: no package of baton is called %s, and standard does not list it", d.name, s, m[1])
				case !p.has(m[2]):
					t.Errorf("%s speaks of `%s`: package %s has no %s", d.name, s, m[1], m[2])
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d names in all documents", seen)
	}
}

// TestDeclarations: the check can fail, and finds what is there.
func TestDeclarations(t *testing.T) {
	known, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		pkg, name string
		want      bool
	}{
		{"task", "Run", true},
		{"task", "Runner.Handoff", true},
		{"task", "Task.Await", true},
		{"task", "Task.Cancel", true}, // of the Ref inside
		{"task", "Reason.Owners", true},
		{"task", "Task.Sing", false},
		{"task", "Sing", false},
		{"poll", "Poller.Submit", true},
		{"poll", "Pinned", true},
		{"epoll", "New", true}, // on every system
		{"context", "Canceled", true},
		{"net", "ErrClosed", true},
		{"net", "ErrSung", false},
	}
	for _, c := range cases {
		if got := known[c.pkg].has(c.name); got != c.want {
			t.Errorf("%s.%s is declared: %v, want %v", c.pkg, c.name, got, c.want)
		}
	}
}
