package dataset

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// ErrNoISOCodes says that the folder holds no iso-codes data. It is wrapped with
// the file that is missing.
var ErrNoISOCodes = errors.New("no iso-codes data (Debian package iso-codes, folder /usr/share/iso-codes/json)")

// Country is the document of one country of ISO 3166-1.
type Country struct {
	ID           string         `json:"_id"` // alpha-2 code
	Name         string         `json:"name"`
	Official     string         `json:"officialName,omitempty"`
	Common       string         `json:"commonName,omitempty"`
	Flag         string         `json:"flag,omitempty"`
	Codes        CountryCodes   `json:"codes"`
	Currencies   []Currency     `json:"currencies"`   // of ISO 4217, those whose code begins with the country's
	Subdivisions []Subdivision  `json:"subdivisions"` // of ISO 3166-2, the top level
	Counts       map[string]int `json:"subdivisionTypes,omitempty"`
}

// CountryCodes are a country's other codes. Numeric ones keep their leading zeros.
type CountryCodes struct {
	Alpha3  string `json:"alpha3"`
	Numeric string `json:"numeric"`
}

// Currency is one currency of ISO 4217.
type Currency struct {
	Code    string `json:"code"`
	Numeric string `json:"numeric"`
	Name    string `json:"name"`
}

// Subdivision is a province, a district or the like, with those it is made of.
type Subdivision struct {
	Code         string        `json:"code"` // ISO 3166-2
	Name         string        `json:"name"`
	Type         string        `json:"type"`
	Subdivisions []Subdivision `json:"subdivisions,omitempty"`
}

// WriteCountries writes the documents of the countries found in the folder, which
// is that of Debian's iso-codes package (files iso_3166-1.json, iso_3166-2.json
// and iso_4217.json). A folder without them is ErrNoISOCodes.
func WriteCountries(w io.Writer, folder fs.FS) error {
	var countries []struct {
		Alpha2   string `json:"alpha_2"`
		Alpha3   string `json:"alpha_3"`
		Numeric  string `json:"numeric"`
		Name     string `json:"name"`
		Official string `json:"official_name"`
		Common   string `json:"common_name"`
		Flag     string `json:"flag"`
	}
	var currencies []struct {
		Alpha3  string `json:"alpha_3"`
		Numeric string `json:"numeric"`
		Name    string `json:"name"`
	}
	var subdivisions []listedSubdivision
	if err := errors.Join(
		readISO(folder, "3166-1", &countries),
		readISO(folder, "3166-2", &subdivisions),
		readISO(folder, "4217", &currencies),
	); err != nil {
		return err
	}

	tree, err := newSubdivisions(subdivisions)
	if err != nil {
		return err
	}
	documents := make([]Country, 0, len(countries))
	for _, c := range countries {
		doc := Country{
			ID: c.Alpha2, Name: c.Name, Official: c.Official, Common: c.Common, Flag: c.Flag,
			Codes:        CountryCodes{Alpha3: c.Alpha3, Numeric: c.Numeric},
			Currencies:   []Currency{},
			Subdivisions: nonNil(tree.below(c.Alpha2)),
			Counts:       tree.types[c.Alpha2],
		}
		for _, m := range currencies {
			if strings.HasPrefix(m.Alpha3, c.Alpha2) {
				doc.Currencies = append(doc.Currencies, Currency{Code: m.Alpha3, Numeric: m.Numeric, Name: m.Name})
			}
		}
		documents = append(documents, doc)
	}
	slices.SortFunc(documents, func(a, b Country) int { return cmp.Compare(a.ID, b.ID) })
	return writeLines(w, documents)
}

// readISO reads the list of one standard: a file with one object whose only
// member is the standard's number.
func readISO[T any](folder fs.FS, standard string, into *[]T) error {
	name := "iso_" + standard + ".json"
	b, err := fs.ReadFile(folder, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dataset: %w: %s is missing", ErrNoISOCodes, name)
	}
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", name, err)
	}
	var file map[string][]T
	if err := json.Unmarshal(b, &file); err != nil {
		return fmt.Errorf("dataset: %s: %w", name, err)
	}
	if len(file[standard]) == 0 {
		return fmt.Errorf("dataset: %s: no entries under %q", name, standard)
	}
	*into = file[standard]
	return nil
}

// listedSubdivision is an entry of iso_3166-2.json. Its parent is named by the
// code's second half, or by the whole code.
type listedSubdivision struct {
	Code, Name, Type, Parent string
}

// subdivisionTree holds the subdivisions by the code of what they are part of.
type subdivisionTree struct {
	children map[string][]listedSubdivision
	types    map[string]map[string]int // how many of a type, by country
}

func newSubdivisions(listed []listedSubdivision) (*subdivisionTree, error) {
	parents := map[string]string{}
	t := &subdivisionTree{children: map[string][]listedSubdivision{}, types: map[string]map[string]int{}}
	for _, s := range listed {
		country, _, found := strings.Cut(s.Code, "-")
		if !found {
			return nil, fmt.Errorf("dataset: iso_3166-2.json: code %q names no country", s.Code)
		}
		parent := country
		switch {
		case strings.Contains(s.Parent, "-"):
			parent = s.Parent
		case s.Parent != "":
			parent = country + "-" + s.Parent
		}
		parents[s.Code] = parent
		t.children[parent] = append(t.children[parent], s)
		if t.types[country] == nil {
			t.types[country] = map[string]int{}
		}
		t.types[country][s.Type]++
	}
	for code := range parents {
		// As many steps as there are entries lead out of every chain but a ring.
		at := code
		for range parents {
			up, ok := parents[at]
			if !ok {
				break
			}
			at = up
		}
		if _, ok := parents[at]; ok {
			return nil, fmt.Errorf("dataset: iso_3166-2.json: %q is part of itself", code)
		}
		if strings.Contains(at, "-") {
			return nil, fmt.Errorf("dataset: iso_3166-2.json: %q is part of %q, which is not listed", code, at)
		}
	}
	return t, nil
}

func (t *subdivisionTree) below(code string) []Subdivision {
	var out []Subdivision
	for _, s := range t.children[code] {
		out = append(out, Subdivision{Code: s.Code, Name: s.Name, Type: s.Type, Subdivisions: t.below(s.Code)})
	}
	slices.SortFunc(out, func(a, b Subdivision) int { return cmp.Compare(a.Code, b.Code) })
	return out
}
