package jsonschema

import "github.com/santhosh-tekuri/jsonschema/v6"

// format is what a text must be.
type format struct {
	name  string
	check func(text any) error
}

func formatOf(f *jsonschema.Format) *format {
	switch {
	case f == nil:
		return nil
	case f.Name == "regex": // the program of a pattern in a document is not needed
		return &format{f.Name, func(text any) error {
			_, err := parsePattern(text.(string))
			return err
		}}
	}
	return &format{f.Name, f.Validate}
}
