// Package place names where in a query something stands, for messages.
package place

import "strings"

// Place is the reference tokens that lead to a value inside a query. The zero Place is its top.
type Place []string

// In returns the place one step further.
func (p Place) In(token string) Place { return append(p[:len(p):len(p)], token) }

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// Pointer is the place as a JSON Pointer (RFC 6901).
func (p Place) Pointer() string {
	var at strings.Builder
	for _, token := range p {
		at.WriteByte('/')
		_, _ = escape.WriteString(&at, token) // never fails
	}
	return at.String()
}
