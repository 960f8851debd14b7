package catalog

import "github.com/immudoc/immudoc/internal/rules"

// Alteration says what becomes of a collection's rules. What is nil stays as it is.
type Alteration struct {
	AppendOnly *bool
	Schema     *rules.Schema // rules.NoSchema to have none
	WriteOnce  *[]string
	MaxSize    *int
}

// Alter returns a definition with altered rules.
func (c *Collection) Alter(a *Alteration) (*Collection, error) {
	next := *c
	next.Altered = true
	if a.AppendOnly != nil {
		next.AppendOnly = *a.AppendOnly
	}
	var now rules.Rules
	if c.Rules != nil {
		now = *c.Rules
	}
	if a.Schema != nil {
		now.Schema = a.Schema
	}
	if a.WriteOnce != nil {
		now.WriteOnce = *a.WriteOnce
	}
	if a.MaxSize != nil {
		now.MaxSize = *a.MaxSize
	}
	var err error
	next.Rules, err = rules.New(now.Schema, now.WriteOnce, now.MaxSize)
	return &next, err
}
