// Package dataset makes the real documents that the demo and the tests store:
// the evidence of this project's own build, one document a Go module, and the
// countries of the world with their subdivisions and currencies, from Debian's
// iso-codes package.
//
// Both are written as NDJSON, one document with its `_id` a line, sorted by
// `_id`, in a form that depends on the source data alone: two runs over the same
// input give the same bytes, and nothing in them names the machine.
//
// The package never touches a database and never downloads anything by itself.
package dataset

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// writeLines writes each document as one line of JSON, the characters <, > and &
// as themselves.
func writeLines[T any](w io.Writer, documents []T) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for i := range documents {
		if err := enc.Encode(documents[i]); err != nil {
			return fmt.Errorf("dataset: document %d: %w", i, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}
