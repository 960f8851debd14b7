package jsonschema

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// base is the address that a schema has for the module that reads it. It is never looked up.
const base = "immudoc:///schema"

// errElsewhere is the answer to a reference that leads out of the schema.
var errElsewhere = errors.New("a schema can refer to itself and to " + dialect + " only")

// nowhere loads no schema from anywhere.
type nowhere struct{}

// Load implements jsonschema.URLLoader.
func (nowhere) Load(string) (any, error) { return nil, errElsewhere }

// Compile reads a schema. Errors wrap [ErrInvalid] and name the place in the schema.
func Compile(schema value.Value) (s *Schema, err error) {
	if k := schema.Kind(); k != value.KindObject && k != value.KindBool {
		return nil, invalid("", "it must be an object or a boolean, not of type %s", k)
	}
	if depth := schema.Depth(); depth > value.MaxDepth {
		return nil, invalid("", "%d arrays and objects inside one another, the limit is %d", depth, value.MaxDepth)
	}
	if n := len(canon.Encode(schema)); n > MaxSize {
		return nil, invalid("", "%d bytes in canonical form, the limit is %d", n, MaxSize)
	}
	src, err := readSource(schema)
	if err != nil {
		return nil, err
	}
	doc, err := plain(schema, "")
	if err != nil {
		return nil, err
	}
	defer func() { // the module is not known to panic; what it reads is anybody's
		if p := recover(); p != nil {
			s, err = nil, invalid("", "it cannot be read: %v", p)
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(nowhere{})
	c.UseRegexpEngine((&patterns{known: map[string]*pattern{}}).compile)
	if err := c.AddResource(base, doc); err != nil {
		return nil, explain(err)
	}
	b := &builder{compiler: c, source: src, known: map[*jsonschema.Schema]*node{}, resources: map[string]*resource{}}
	root, err := b.build()
	if err != nil {
		return nil, explain(err)
	}
	return &Schema{root}, nil
}

// builder turns the schemas that a module read into nodes.
type builder struct {
	compiler  *jsonschema.Compiler
	source    *source
	known     map[*jsonschema.Schema]*node
	waiting   []*jsonschema.Schema // known, and not filled yet
	resources map[string]*resource // by address
}

func (b *builder) build() (*node, error) {
	schema, err := b.compiler.Compile(base)
	if err != nil {
		return nil, err
	}
	root := b.node(schema)
	for len(b.waiting) > 0 {
		s := b.waiting[len(b.waiting)-1]
		b.waiting = b.waiting[:len(b.waiting)-1]
		n := b.known[s]
		if err := b.locate(n, s); err != nil {
			return nil, err
		}
		if err := b.fill(n, s); err != nil {
			return nil, err
		}
	}
	return root, b.checkLoops()
}

// node returns the node of a schema, nil for none.
func (b *builder) node(s *jsonschema.Schema) *node {
	if s == nil {
		return nil
	}
	if n, ok := b.known[s]; ok {
		return n
	}
	n := &node{}
	b.known[s] = n
	b.waiting = append(b.waiting, s)
	return n
}

func (b *builder) nodes(list []*jsonschema.Schema) []*node {
	out := make([]*node, len(list))
	for i, s := range list {
		out[i] = b.node(s)
	}
	return out
}

func (b *builder) nodeMap(m map[string]*jsonschema.Schema) map[string]*node {
	out := make(map[string]*node, len(m))
	for name, s := range m {
		out[name] = b.node(s)
	}
	return out
}

// locate finds out where a schema stands and which resource it belongs to.
func (b *builder) locate(n *node, s *jsonschema.Schema) (err error) {
	at, own := pointerOf(s.Location)
	if own {
		place, ok := b.source.places[at]
		if !ok {
			return invalid(at, "it is referred to, but no schema stands there; put it under $defs")
		}
		n.at, n.kinds = at, place.kinds
		n.resource, err = b.resource(addressOf(place.resource), b.source.anchors[place.resource])
		return err
	}
	if s.DraftVersion != 2020 {
		return invalid("", "it refers to %s; %v", s.Location, errElsewhere)
	}
	n.at = s.Location
	address, _, _ := strings.Cut(s.Location, "#")
	n.resource, err = b.resource(address, nil)
	if err == nil && len(n.resource.anchors) == 0 { // each part of the metaschema has one, at its root
		root, err := b.compiler.Compile(address)
		if err != nil {
			return err
		}
		n.resource.anchors[root.DynamicAnchor] = b.node(root)
	}
	return err
}

// resource returns the resource that has an address, with its dynamic anchors.
func (b *builder) resource(address string, anchors []anchor) (*resource, error) {
	if r, ok := b.resources[address]; ok {
		return r, nil
	}
	r := &resource{anchors: make(map[string]*node, len(anchors))}
	b.resources[address] = r
	for _, a := range anchors {
		s, err := b.compiler.Compile(addressOf(a.at))
		if err != nil {
			return nil, err
		}
		r.anchors[a.name] = b.node(s)
	}
	return r, nil
}

// checkLoops refuses schemas that lead back to themselves without a step into the document.
func (b *builder) checkLoops() error {
	const (
		open = 1 + iota
		closed
	)
	state := map[*node]int{}
	var visit func(n *node) error
	visit = func(n *node) error {
		state[n] = open
		for _, sub := range n.inPlace() {
			switch state[sub] {
			case open:
				return invalid(sub.at, "the schema leads back to itself without a step into the document")
			case closed:
			default:
				if err := visit(sub); err != nil {
					return err
				}
			}
		}
		state[n] = closed
		return nil
	}
	for _, n := range b.known {
		if state[n] == 0 {
			if err := visit(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// explain makes an error of the module that reads schemas one of this package.
func explain(err error) error {
	if errors.Is(err, ErrInvalid) {
		return err
	}
	var meta *jsonschema.SchemaValidationError
	var pattern *jsonschema.InvalidRegexError
	var load *jsonschema.LoadURLError
	switch {
	case errors.As(err, &meta):
		return explainMeta(meta)
	case errors.As(err, &pattern):
		return invalid("", "pattern %s: %v", quoted(pattern.Regex), pattern.Err)
	case errors.As(err, &load):
		return invalid("", "it refers to %s; %v", load.URL, errElsewhere)
	}
	return invalid("", "%s", strings.ReplaceAll(err.Error(), base, ""))
}

// explainMeta names the deepest place at which a schema contradicts the metaschema, of several the first by text, those last
// that are only of another type: the metaschema asks for one of several types in places.
func explainMeta(meta *jsonschema.SchemaValidationError) error {
	at, _ := pointerOf(meta.URL)
	var found *jsonschema.ValidationError
	var foundAt, text string
	var visit func(e *jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			visit(cause)
		}
		if len(e.Causes) > 0 {
			return
		}
		place, says := canon.FormatPointer(e.InstanceLocation), e.Error()
		if found == nil || cmp.Or(
			-cmp.Compare(len(e.InstanceLocation), len(found.InstanceLocation)),
			cmp.Compare(ofType(e), ofType(found)),
			strings.Compare(place, foundAt), strings.Compare(says, text),
		) < 0 {
			found, foundAt, text = e, place, says
		}
	}
	var all *jsonschema.ValidationError
	if !errors.As(meta.Err, &all) {
		return invalid(at, "%v", meta.Err)
	}
	visit(all)
	_, says, ok := strings.Cut(text, "': ")
	if !ok {
		says = text
	}
	return invalid(at+foundAt, "%s", says)
}

// ofType is 1 for the violation of a type, 0 for any other.
func ofType(e *jsonschema.ValidationError) int {
	if _, is := e.ErrorKind.(*kind.Type); is {
		return 1
	}
	return 0
}

// ofRat is a number of a schema, nil for none. It has been read from decimal digits, of which there are few.
func ofRat(r *big.Rat) *number {
	if r == nil {
		return nil
	}
	// r is a whole number divided by a power of 10, of which the fraction has lost common factors.
	text := r.FloatString(2 * maxDigits)
	n := number{sign: r.Sign()}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	n.exponent = int64(len(digits)-1) - int64(len(fraction))
	if n.digits = strings.TrimRight(digits, "0"); n.digits == "" {
		return &number{}
	}
	return &n
}

// numberText is a number as a schema has it.
func numberText(plain any) string { return fmt.Sprint(plain) }
