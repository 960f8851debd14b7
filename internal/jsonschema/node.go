package jsonschema

import (
	"cmp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// node is one schema of a graph. What a schema does not have is nil, empty or 0.
type node struct {
	at       string // where it stands: a JSON Pointer, or an address in the metaschema
	resource *resource
	always   *bool // of a boolean schema

	types   typeMask
	kinds   kindMask
	enum    *choice
	literal *choice // of const

	minimum, maximum, above, below, multipleOf *number

	minLength, maxLength *int
	pattern              *pattern
	format               *format

	minItems, maxItems       *int
	minContains, maxContains *int
	unique                   bool
	prefixItems              []*node
	items, contains          *node

	minProperties, maxProperties *int
	required                     []string
	properties                   map[string]*node
	patternProperties            []patternNode
	additional                   *node
	closed                       bool // additionalProperties is false
	propertyNames                *node
	dependentRequired            map[string][]string
	dependentSchemas             map[string]*node

	ref, dynamicRef           *node
	dynamicName               string // of the anchor that dynamicRef names
	dynamicAnchor             string
	allOf, anyOf, oneOf       []*node
	not, when, then, otherway *node

	unevaluatedProperties, unevaluatedItems *node
}

// resource is a schema with an $id, or the root of a document, and the dynamic anchors in it.
type resource struct{ anchors map[string]*node }

type patternNode struct {
	pattern *pattern
	node    *node
}

// choice is the values of an enum or a const.
type choice struct {
	keys       map[string]bool
	text       string   // for messages
	containers typeMask // arrays or objects among them
}

func choiceOf(values []any) (*choice, error) {
	const most = 8
	c := &choice{keys: make(map[string]bool, len(values))}
	for i, plain := range values {
		v, err := fromPlain(plain)
		if err != nil {
			return nil, err
		}
		c.keys[string(appendKey(nil, v))] = true
		c.containers |= typeOf(v) & (typeArray | typeObject)
		switch {
		case i == most:
			c.text += ", …"
		case i < most:
			if i > 0 {
				c.text += ", "
			}
			c.text += literal(plain, v)
		}
	}
	return c, nil
}

// literal is a value of a schema in a message: a number is shown as it was given.
func literal(plain any, v value.Value) string {
	if v.Kind() == value.KindDecimal {
		return numberText(plain)
	}
	return shown{v}.String()
}

// fill completes the node of a schema.
func (b *builder) fill(n *node, s *jsonschema.Schema) (err error) {
	n.always = s.Bool
	n.dynamicAnchor = s.DynamicAnchor
	if s.Types != nil {
		n.types = typesOf(s.Types.ToStrings())
	}
	if s.Enum != nil {
		if n.enum, err = choiceOf(s.Enum.Values); err != nil {
			return err
		}
	}
	if s.Const != nil {
		if n.literal, err = choiceOf([]any{*s.Const}); err != nil {
			return err
		}
	}
	n.minimum, n.maximum, n.multipleOf = ofRat(s.Minimum), ofRat(s.Maximum), ofRat(s.MultipleOf)
	n.above, n.below = ofRat(s.ExclusiveMinimum), ofRat(s.ExclusiveMaximum)
	n.minLength, n.maxLength = s.MinLength, s.MaxLength
	n.pattern, _ = s.Pattern.(*pattern)
	n.format = formatOf(s.Format)

	n.minItems, n.maxItems, n.unique = s.MinItems, s.MaxItems, s.UniqueItems
	n.minContains, n.maxContains = s.MinContains, s.MaxContains
	n.prefixItems, n.items, n.contains = b.nodes(s.PrefixItems), b.node(s.Items2020), b.node(s.Contains)

	n.minProperties, n.maxProperties, n.required = s.MinProperties, s.MaxProperties, s.Required
	n.properties = b.nodeMap(s.Properties)
	for re, sub := range s.PatternProperties {
		n.patternProperties = append(n.patternProperties, patternNode{re.(*pattern), b.node(sub)})
	}
	slices.SortFunc(n.patternProperties, func(x, y patternNode) int { return cmp.Compare(x.pattern.String(), y.pattern.String()) })
	switch additional := s.AdditionalProperties.(type) {
	case bool:
		yes := true
		if n.closed = !additional; additional {
			n.additional = &node{always: &yes}
		}
	case *jsonschema.Schema:
		n.additional = b.node(additional)
	}
	n.propertyNames = b.node(s.PropertyNames)
	n.dependentRequired, n.dependentSchemas = s.DependentRequired, b.nodeMap(s.DependentSchemas)
	b.dependencies(n, s.Dependencies)

	n.ref = b.node(s.Ref)
	if s.DynamicRef != nil {
		n.dynamicRef, n.dynamicName = b.node(s.DynamicRef.Ref), s.DynamicRef.Anchor
	}
	n.allOf, n.anyOf, n.oneOf = b.nodes(s.AllOf), b.nodes(s.AnyOf), b.nodes(s.OneOf)
	n.not, n.when, n.then, n.otherway = b.node(s.Not), b.node(s.If), b.node(s.Then), b.node(s.Else)
	n.unevaluatedProperties, n.unevaluatedItems = b.node(s.UnevaluatedProperties), b.node(s.UnevaluatedItems)
	return nil
}

// dependencies adds those of earlier drafts to the dependent keywords that took their place.
func (b *builder) dependencies(n *node, all map[string]any) {
	for name, dependency := range all {
		switch d := dependency.(type) {
		case []string:
			if n.dependentRequired == nil {
				n.dependentRequired = map[string][]string{}
			}
			n.dependentRequired[name] = slices.Concat(n.dependentRequired[name], d)
		case *jsonschema.Schema:
			sub := b.node(d)
			if known, ok := n.dependentSchemas[name]; ok {
				sub = &node{at: n.at, resource: n.resource, allOf: []*node{known, sub}}
			}
			if n.dependentSchemas == nil {
				n.dependentSchemas = map[string]*node{}
			}
			n.dependentSchemas[name] = sub
		}
	}
}

// inPlace are the schemas that a schema applies to the value that it is applied to itself.
func (n *node) inPlace() []*node {
	out := slices.Concat(n.allOf, n.anyOf, n.oneOf)
	for _, sub := range []*node{n.ref, n.dynamicRef, n.not, n.when, n.then, n.otherway} {
		if sub != nil {
			out = append(out, sub)
		}
	}
	for _, sub := range n.dependentSchemas {
		out = append(out, sub)
	}
	return out
}
