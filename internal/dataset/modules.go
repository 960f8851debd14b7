package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Module is the document of one module of a build.
type Module struct {
	ID        string       `json:"_id"` // path@version
	Path      string       `json:"path"`
	Version   string       `json:"version"`        // "(devel)" for the module that is built
	Time      *Date        `json:"time,omitempty"` // of the version
	Main      bool         `json:"main,omitempty"`
	Indirect  bool         `json:"indirect"`
	GoVersion string       `json:"goVersion,omitempty"`
	Replace   *Replacement `json:"replace,omitempty"`
	Sums      *Sums        `json:"sums,omitempty"`
	Packages  []Package    `json:"packages"` // those that the build uses, by path
}

// Replacement is what a replace line of go.mod puts in the module's place.
type Replacement struct {
	Path      string `json:"path"`
	Version   string `json:"version,omitempty"`
	GoVersion string `json:"goVersion,omitempty"`
}

// Sums are the hashes that go.sum holds of a module, of the replacement if it is
// replaced. Modules that only take part in choosing versions have no Module sum.
type Sums struct {
	Module string `json:"module,omitempty"` // of the files, "h1:" and base64
	GoMod  string `json:"goMod,omitempty"`  // of go.mod alone
}

// Package is one package of a module that the build uses.
type Package struct {
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Files   []string `json:"files"`             // Go files compiled
	Cgo     []string `json:"cgo,omitempty"`     // Go files compiled with cgo
	Embeds  []string `json:"embeds,omitempty"`  // files embedded
	Imports []string `json:"imports,omitempty"` // packages outside the standard library
}

// Date is an instant that JSON shows as a timestamp of Extended JSON.
type Date struct{ time.Time }

// MarshalJSON returns {"$date": RFC 3339 in UTC}.
func (d Date) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"$date": d.UTC().Format(time.RFC3339Nano)})
}

// WriteModules writes the documents of the modules that the build of the module
// in folder dir selects, asking the go command on the PATH.
func WriteModules(ctx context.Context, w io.Writer, dir string) error {
	documents, err := listModules(ctx, dir)
	if err != nil {
		return err
	}
	return writeLines(w, documents)
}

func listModules(ctx context.Context, dir string) ([]Module, error) {
	modules, err := goList(ctx, dir, "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	packages, err := goList(ctx, dir, "-e", "-deps",
		"-json=ImportPath,Name,Standard,Module,GoFiles,CgoFiles,EmbedFiles,Imports", "./...")
	if err != nil {
		return nil, err
	}
	return readModules(modules, packages)
}

func goList(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("dataset: go list %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// listedModule and listedPackage are the parts of the go command's answers that
// are the same on every machine.
type listedModule struct {
	Path, Version, GoVersion string
	Time                     *time.Time
	Main, Indirect           bool
	Sum, GoModSum            string
	Replace                  *listedModule
}

type listedPackage struct {
	ImportPath, Name              string
	Standard                      bool
	Module                        *listedModule
	GoFiles, CgoFiles, EmbedFiles []string
	Imports                       []string
}

// readModules joins what `go list -m -json` and `go list -deps -json` print,
// which is one JSON object after the other.
func readModules(modules, packages []byte) ([]Module, error) {
	used := map[string][]Package{} // by module path
	standard := map[string]bool{"C": true}
	var listed []listedPackage
	err := decodeAll(packages, func(p listedPackage) {
		if p.Standard {
			standard[p.ImportPath] = true
		} else if p.Module != nil {
			listed = append(listed, p)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("dataset: packages: %w", err)
	}
	for _, p := range listed {
		imports := slices.DeleteFunc(p.Imports, func(path string) bool { return standard[path] })
		used[p.Module.Path] = append(used[p.Module.Path], Package{
			Path: p.ImportPath, Name: p.Name, Files: nonNil(p.GoFiles), Cgo: p.CgoFiles, Embeds: p.EmbedFiles, Imports: imports,
		})
	}

	var documents []Module
	err = decodeAll(modules, func(m listedModule) {
		documents = append(documents, moduleDocument(m, used[m.Path]))
	})
	if err != nil {
		return nil, fmt.Errorf("dataset: modules: %w", err)
	}
	slices.SortFunc(documents, func(a, b Module) int { return strings.Compare(a.ID, b.ID) })
	return documents, nil
}

func moduleDocument(m listedModule, packages []Package) Module {
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Path, b.Path) })
	doc := Module{
		Path: m.Path, Version: m.Version, Main: m.Main, Indirect: m.Indirect, GoVersion: m.GoVersion,
		Packages: nonNil(packages),
	}
	if doc.Version == "" {
		doc.Version = "(devel)"
	}
	doc.ID = doc.Path + "@" + doc.Version
	if m.Time != nil {
		doc.Time = &Date{*m.Time}
	}
	sums := Sums{Module: m.Sum, GoMod: m.GoModSum}
	if r := m.Replace; r != nil {
		doc.Replace = &Replacement{Path: r.Path, Version: r.Version, GoVersion: r.GoVersion}
		sums = Sums{Module: r.Sum, GoMod: r.GoModSum}
	}
	if sums != (Sums{}) {
		doc.Sums = &sums
	}
	return doc
}

// decodeAll calls each with every JSON value of b, in order.
func decodeAll[T any](b []byte, each func(T)) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		var v T
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		each(v)
	}
}

// nonNil makes a missing list an empty one, so that the property is always an array.
func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
