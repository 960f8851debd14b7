package plan

import (
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
)

// atom is a condition on the values at one path.
type atom struct {
	path string
	cond filter.Expr // nil if element is set
	// element says that it is about elements of arrays at the path, all of them conditions on the same one.
	element []filter.Expr
	indexed bool // a step of the path is a number

	values *set
}

// set is the values of which one must be at the path.
func (a *atom) set() *set {
	if a.values != nil {
		return a.values
	}
	if a.element == nil {
		a.values, _ = setOf(a.cond)
		return a.values
	}
	for _, e := range a.element {
		s, _ := setOf(e)
		if a.values != nil {
			s = intersect(a.values, s)
		}
		a.values = s
	}
	a.values.missing, a.values.exact = false, false
	return a.values
}

// served reports whether a condition is one that entries of an index meet for every document that meets it: it looks at
// single values, and none of them is an array. Conditions that hardly narrow anything are left out.
func served(e filter.Expr) bool {
	switch e := e.(type) {
	case filter.Compare:
		return e.Value.Kind() != arrayKind
	case filter.In:
		for _, v := range e.Values {
			if v.Kind() == arrayKind {
				return false
			}
		}
		return true
	case filter.Regex:
		_, anchored, _ := literalPrefix(e.Pattern.String())
		return anchored
	}
	return false
}

// served reports whether an index can serve the atom.
func (a *atom) served() bool { return a.element != nil || served(a.cond) }

// conditions are what the atom says of its path, to be shown.
func (a *atom) conditions() []filter.Expr {
	if a.element != nil {
		return a.element
	}
	return []filter.Expr{a.cond}
}

// conjunct is one of the conditions that must all hold.
type conjunct struct {
	expr filter.Expr
	atom *atom // if it is one on a path
	or   *or   // if it is an $or

	branches [][]*conjunct // of the $or, once somebody asked
	key      *string       // as appendExpr writes it, once somebody asked; empty if it does not
}

// alternatives are the conjuncts of each branch of an $or.
func (c *conjunct) alternatives() [][]*conjunct {
	if c.branches == nil {
		for _, e := range c.or.of {
			branch := newScope(nil)
			branch.add(e, c.or.prefix, true)
			c.branches = append(c.branches, branch.conjuncts)
		}
	}
	return c.branches
}

// or is an $or, or one inside $elemMatch, whose paths begin with prefix.
type or struct {
	prefix fieldpath.Path
	of     []filter.Expr
	direct bool
}

// scope is conditions that must all hold, with those around them: an $or's branch holds together with what stands beside
// the $or.
type scope struct {
	parent    *scope
	conjuncts []*conjunct
	atoms     map[string][]*atom // also those that follow from conjuncts
	ors       []*or
	never     bool // no document can match

	bounds  map[boundKey]*bound
	implied map[*conjunct]bool
	tries   *int                     // steps of patterns that may still be made to find out what follows from what
	written map[byte]map[string]bool // conjuncts of a type, as appendExpr writes them
}

type boundKey struct {
	path  string
	exact bool
}

func newScope(parent *scope) *scope {
	s := &scope{parent: parent}
	if parent != nil {
		s.tries = parent.tries
	}
	return s
}

// keep puts a value into a map that is made when it is needed: a scope is made for every branch of an $or.
func keep[K comparable, V any](m *map[K]V, key K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = v
}

// add adds a condition whose paths begin with prefix. It is direct if it is part of the filter as it stands.
func (s *scope) add(e filter.Expr, prefix fieldpath.Path, direct bool) {
	switch e := e.(type) {
	case filter.And:
		for _, of := range e.Of {
			s.add(of, prefix, direct)
		}
		return
	case filter.Or:
		s.addOr(e, prefix, direct)
		return
	case filter.Not:
		if inner, ok := bare(e.Of).(filter.Not); ok {
			s.add(inner.Of, prefix, direct)
			return
		}
	}
	path, onPath := pathOf(e)
	if onPath {
		path, onPath = join(prefix, path)
	}
	if !onPath {
		if direct {
			s.conjuncts = append(s.conjuncts, &conjunct{expr: e})
		}
		return
	}
	a := &atom{path: path.String(), cond: e, indexed: path.Indexes() > 0}
	if direct {
		s.conjuncts = append(s.conjuncts, &conjunct{expr: e, atom: a})
	}
	s.addAtom(a)
	if e, ok := e.(filter.ElemMatch); ok {
		s.addElement(e, path)
	}
}

// bare takes a condition out of lists of one.
func bare(e filter.Expr) filter.Expr {
	for {
		switch list := e.(type) {
		case filter.And:
			if len(list.Of) != 1 {
				return e
			}
			e = list.Of[0]
		case filter.Or:
			if len(list.Of) != 1 {
				return e
			}
			e = list.Of[0]
		default:
			return e
		}
	}
}

func (s *scope) addAtom(a *atom) {
	keep(&s.atoms, a.path, append(s.atoms[a.path], a))
	switch cond := a.cond.(type) {
	case filter.In:
		s.never = s.never || len(cond.Values) == 0
	case filter.Compare:
		s.never = s.never || a.set().empty()
	}
}

// addElement adds what follows from $elemMatch at a path.
func (s *scope) addElement(e filter.ElemMatch, path fieldpath.Path) {
	if !e.Whole {
		s.add(e.Of, path, false)
		return
	}
	var on []filter.Expr
	var flatten func(e filter.Expr)
	flatten = func(e filter.Expr) {
		if and, ok := e.(filter.And); ok {
			for _, of := range and.Of {
				flatten(of)
			}
		} else if served(e) {
			on = append(on, e)
		}
	}
	flatten(e.Of)
	if len(on) > 0 {
		s.addAtom(&atom{path: path.String(), element: on, indexed: path.Indexes() > 0})
	}
}

func (s *scope) addOr(e filter.Or, prefix fieldpath.Path, direct bool) {
	switch len(e.Of) {
	case 0:
		s.never = true
	case 1:
		s.add(e.Of[0], prefix, direct)
	default:
		o := &or{prefix: prefix, of: e.Of, direct: direct}
		s.ors = append(s.ors, o)
		if direct {
			s.conjuncts = append(s.conjuncts, &conjunct{expr: e, or: o})
		}
	}
}

// pathOf is the path of a condition on a path.
func pathOf(e filter.Expr) (fieldpath.Path, bool) {
	switch e := e.(type) {
	case filter.Compare:
		return e.Path, true
	case filter.In:
		return e.Path, true
	case filter.Regex:
		return e.Path, true
	case filter.Mod:
		return e.Path, true
	case filter.Type:
		return e.Path, true
	case filter.Exists:
		return e.Path, true
	case filter.Size:
		return e.Path, true
	case filter.ElemMatch:
		return e.Path, true
	}
	return fieldpath.Path{}, false
}

// maxJoined is how long a joined path can be: they are made for every condition inside $elemMatch.
const maxJoined = 4096

// join is the path from a document of a path from an element of an array. A path from an element that is an array itself
// begins with an index, and the joined path would not lead there: it takes the index as one into the outer array.
func join(prefix, path fieldpath.Path) (fieldpath.Path, bool) {
	switch {
	case len(prefix.Steps()) == 0:
		return path, len(path.Steps()) > 0
	case len(path.Steps()) == 0 || path.Steps()[0].Index >= 0 || len(prefix.String())+len(path.String()) >= maxJoined:
		return fieldpath.Path{}, false
	}
	joined, err := fieldpath.Parse(prefix.String() + "." + path.String())
	return joined, err == nil
}

// bound is what is known of the values at a path.
type bound struct {
	set  *set
	from []*atom // what it was made from
}

// bound returns the values that a field of an index is bound to, nil if it is not. In an exact index all conditions on a
// path are about the same value. In another one each may be met by another value, and only the narrowest counts.
func (s *scope) bound(path string, exact bool) *bound {
	key := boundKey{path, exact}
	if b, known := s.bounds[key]; known {
		return b
	}
	var b *bound
	if s.parent != nil {
		b = s.parent.bound(path, exact)
	}
	for _, a := range s.atoms[path] {
		switch {
		case !a.served():
		case b == nil:
			b = &bound{set: a.set(), from: []*atom{a}}
		case exact:
			b = &bound{set: intersect(b.set, a.set()), from: append(b.from[:len(b.from):len(b.from)], a)}
		case narrower(a.set(), b.set):
			b = &bound{set: a.set(), from: []*atom{a}}
		}
	}
	keep(&s.bounds, key, b)
	return b
}

// narrower prefers points, the fewer the better, then what is bounded on both sides.
func narrower(a, b *set) bool {
	switch x, y := a.points(), b.points(); {
	case x && y:
		return len(a.in) < len(b.in)
	case x || y:
		return x
	}
	return a.closed() && !b.closed()
}

// present reports whether a document that matches must have a value at a path.
func (s *scope) present(path string) bool {
	for ; s != nil; s = s.parent {
		for _, a := range s.atoms[path] {
			if !a.set().missing {
				return true
			}
		}
	}
	return false
}
