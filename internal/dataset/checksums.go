package dataset

import (
	"cmp"
	"context"
	"io"
	"slices"
)

// Checksum is the document that leads from a hash of go.sum to what it is the
// hash of.
type Checksum struct {
	ID      string      `json:"_id"`     // "h1:" and base64
	Of      string      `json:"of"`      // "module" or "go.mod"
	Modules []Reference `json:"modules"` // DBRefs; forks and renamed modules share a go.mod
}

// Reference is a DBRef to a module's document.
type Reference struct {
	Collection string `json:"$ref"`
	ID         string `json:"$id"`
}

// WriteChecksums writes a document for every hash that [WriteModules] names, in
// whose collection "modules" the references point.
func WriteChecksums(ctx context.Context, w io.Writer, dir string) error {
	modules, err := listModules(ctx, dir)
	if err != nil {
		return err
	}
	return writeLines(w, checksums(modules))
}

func checksums(modules []Module) []Checksum {
	byHash := map[string]*Checksum{}
	add := func(hash, of, id string) {
		if hash == "" {
			return
		}
		if byHash[hash] == nil {
			byHash[hash] = &Checksum{ID: hash, Of: of}
		}
		byHash[hash].Modules = append(byHash[hash].Modules, Reference{Collection: "modules", ID: id})
	}
	for _, m := range modules {
		if m.Sums != nil {
			add(m.Sums.Module, "module", m.ID)
			add(m.Sums.GoMod, "go.mod", m.ID)
		}
	}
	documents := make([]Checksum, 0, len(byHash))
	for _, c := range byHash {
		documents = append(documents, *c)
	}
	slices.SortFunc(documents, func(a, b Checksum) int { return cmp.Compare(a.ID, b.ID) })
	return documents
}
