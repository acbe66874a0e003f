package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TestStatusJSON keeps what "cwagent help status-json" says equal to what stands beside
// the fields in package ipc: with -update it writes it. A field without a comment is an
// error, and so is one that a golden status has and nobody explains.
func TestStatusJSON(t *testing.T) {
	t.Parallel()
	f := fields{t: t, types: ipcTypes(t), seen: map[string]string{}}
	f.of("", "Status")
	text := `The fields of "cwagent status -o json", which are those of "-o yaml", too. [] is
a list. What is optional is left out where there is nothing to say. A time is
written as in RFC 3339. A new version may add fields; none goes, and none gets
another meaning. No field has a secret in it.

` + strings.Join(f.lines, "\n")
	if *update {
		if err := os.WriteFile("status-json.txt", []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if strings.TrimSuffix(statusJSON, "\n") != text {
		t.Error("status-json.txt is not what package ipc says: go test -run TestStatusJSON -update writes it")
	}
	var b bytes.Buffer
	if err := writeJSON(&b, everyState()); err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(b.Bytes(), &value); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths("", value) {
		if !f.explained(path) {
			t.Errorf("%s is not explained", path)
		}
	}
}

// fields writes what stands beside the fields of structs.
type fields struct {
	t     *testing.T
	types map[string]*ipcType
	seen  map[string]string // by type: where it is explained
	lines []string
}

// An ipcType is a type of package ipc: a struct, or text with these values.
type ipcType struct {
	fields *ast.StructType
	values []string
}

func (f *fields) of(path, typeName string) {
	for _, field := range f.types[typeName].fields.Fields.List {
		tag, _ := strconv.Unquote(field.Tag.Value)
		name, rest, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "cas" {
			continue // run asks for it, status never does
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		kind, inner := f.kind(field.Type)
		if kind == "list" {
			at += "[]"
		}
		if rest != "" {
			kind += ", optional"
		}
		comment := strings.TrimSpace(field.Comment.Text())
		if comment == "" {
			comment = strings.TrimSpace(strings.ReplaceAll(field.Doc.Text(), "\n", " "))
		}
		if comment == "" {
			f.t.Errorf("%s of ipc.%s has no comment", field.Names[0], typeName)
		}
		f.lines = append(f.lines, "  "+at+"  ("+kind+")")
		about := f.types[inner]
		again := f.seen[inner]
		if about != nil && again != "" {
			comment += "; see " + again
		}
		f.lines = append(f.lines, view{width: 80}.wrap("      ", comment, nil)...)
		if about == nil || again != "" {
			continue
		}
		f.seen[inner] = at
		for _, value := range about.values {
			f.lines = append(f.lines, view{width: 80}.wrap("        ", value, nil)...)
		}
		if about.fields != nil {
			f.of(at, inner)
		}
	}
}

// kind says what a type is for who reads JSON, and which of our types is in it.
func (f *fields) kind(e ast.Expr) (kind, inner string) {
	switch e := e.(type) {
	case *ast.StarExpr:
		return f.kind(e.X)
	case *ast.ArrayType:
		_, inner = f.kind(e.Elt)
		return "list", inner
	case *ast.SelectorExpr:
		return strings.ToLower(e.Sel.Name), ""
	case *ast.Ident:
		switch about := f.types[e.Name]; {
		case about != nil && about.fields != nil:
			return "object", e.Name
		case about != nil:
			return "text", e.Name
		}
		switch e.Name {
		case "string":
			return "text", ""
		case "bool":
			return "true or false", ""
		}
		return "number", ""
	}
	f.t.Fatalf("%T is a type that nobody explains", e)
	return "", ""
}

func (f *fields) explained(path string) bool {
	for _, line := range f.lines {
		if strings.HasPrefix(line, "  "+path+"  (") || strings.HasPrefix(line, "  "+path+"[]  (") {
			return true
		}
	}
	for typeName, at := range f.seen { // explained elsewhere
		i := strings.LastIndexByte(path, '.')
		if f.types[typeName].fields != nil && i > 0 && at != path[:i] && strings.Contains(strings.Join(f.lines, "\n"), "  "+at+path[i:]+"  (") {
			return true
		}
	}
	return false
}

// paths are those of all values in JSON.
func paths(path string, value any) (all []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			all = append(all, paths(strings.TrimPrefix(path+"."+key, "."), v)...)
		}
	case []any:
		for _, v := range value {
			all = append(all, paths(path+"[]", v)...)
		}
	default:
		all = append(all, path)
	}
	return all
}

// ipcTypes reads the types of package ipc.
func ipcTypes(t *testing.T) map[string]*ipcType {
	files, err := filepath.Glob("../../ipc/*.go")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]*ipcType{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				learn(types, spec)
			}
		}
	}
	return types
}

func learn(types map[string]*ipcType, spec ast.Spec) {
	about := func(name string) *ipcType {
		if types[name] == nil {
			types[name] = &ipcType{}
		}
		return types[name]
	}
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		switch of := spec.Type.(type) {
		case *ast.StructType:
			about(spec.Name.Name).fields = of
		case *ast.Ident:
			about(spec.Name.Name)
		}
	case *ast.ValueSpec:
		of, ok := spec.Type.(*ast.Ident)
		if !ok || len(spec.Values) != 1 {
			return
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			value, _ := strconv.Unquote(lit.Value)
			if comment := strings.TrimSpace(spec.Comment.Text()); comment != "" {
				value = fmt.Sprintf("%s: %s", value, comment)
			}
			about(of.Name).values = append(about(of.Name).values, value)
		}
	}
}
