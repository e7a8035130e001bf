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

// standard lists the packages of the standard library whose names may appear in
// documents.
var standard = []string{
	"context", "crypto/tls", "errors", "fmt", "io", "iter", "net", "net/http", "os", "runtime", "runtime/pprof",
	"sync", "testing", "time",
}

// declarations holds the names that a package declares: functions, types, values, and
// methods and fields as "Type.Name". A type has the members of its embedded types too.
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

// add adds the declarations of one file. It ignores build tags: documents may name
// what exists on one system only.
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

// receiver returns the name of a type without star and type parameters.
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

// packages returns the declarations that documents may name, by package name: those of
// this module and of the packages in standard. All tests share the result.
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
	delete(all, "main") // no other package can use it
	return all, nil
})

// qualified finds pkg.Name and pkg.Type.Name.
var qualified = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)

func TestQualifiedNamesAreDeclared(t *testing.T) {
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
					t.Errorf("%s names `%s`: baton has no package %s, and standard does not list one", d.name, s, m[1])
				case !p.has(m[2]):
					t.Errorf("%s names `%s`: package %s has no %s", d.name, s, m[1], m[2])
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d names in all documents", seen)
	}
}

// The check finds declared names, and fails for others.
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
		{"task", "Task.Cancel", true}, // of the embedded Ref
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
