package jsonschema

import (
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// kind checks the keywords for values of every type.
func (e *evaluation) kind() *Violation {
	n, v := e.node, e.value
	if n.types != 0 {
		if t := typeOf(v); n.types&t == 0 {
			if t&typeInteger != 0 {
				t = typeInteger
			}
			return e.fail("type", "%s is of type %s, not %s", shown{v}, t, n.types)
		}
	}
	if n.kinds != 0 && n.kinds&maskOf(v.Kind()) == 0 {
		return e.fail(kindKeyword, "%s is of kind %s, not %s", shown{v}, maskOf(v.Kind()), n.kinds)
	}
	if ok, stop := e.among(n.enum); stop != nil {
		return stop
	} else if !ok {
		return e.fail("enum", "%s is not one of %s", shown{v}, n.enum.text)
	}
	if ok, stop := e.among(n.literal); stop != nil {
		return stop
	} else if !ok {
		return e.fail("const", "%s is not %s", shown{v}, n.literal.text)
	}
	return nil
}

// among reports whether the value is among those of an enum.
func (e *evaluation) among(c *choice) (ok bool, stop *Violation) {
	if c == nil {
		return true, nil
	}
	if t := typeOf(e.value); t&(typeArray|typeObject) != 0 && t&c.containers == 0 {
		return false, nil
	}
	key, stop := e.key(e.value)
	return c.keys[string(key)], stop
}

// key is the value's for comparisons.
func (c *checker) key(v value.Value) ([]byte, *Violation) {
	key := appendKey(nil, v)
	return key, c.spend(len(key) / 8)
}

// scalar checks the keywords for numbers and strings.
func (e *evaluation) scalar() *Violation {
	switch e.value.Kind() {
	case value.KindInt, value.KindUint, value.KindFloat, value.KindDecimal:
		return e.number()
	case value.KindString, value.KindBytes, value.KindUUID, value.KindTimestamp:
		return e.text()
	}
	return nil
}

func (e *evaluation) number() *Violation {
	n := e.node
	if n.minimum == nil && n.maximum == nil && n.above == nil && n.below == nil && n.multipleOf == nil {
		return nil
	}
	number := numberOf(e.value)
	if stop := e.spend(len(number.digits) / 8); stop != nil {
		return stop
	}
	switch v := (shown{e.value}); {
	case n.minimum != nil && number.compare(*n.minimum) < 0:
		return e.fail("minimum", "%s is less than %s", v, *n.minimum)
	case n.maximum != nil && number.compare(*n.maximum) > 0:
		return e.fail("maximum", "%s is more than %s", v, *n.maximum)
	case n.above != nil && number.compare(*n.above) <= 0:
		return e.fail("exclusiveMinimum", "%s is not more than %s", v, *n.above)
	case n.below != nil && number.compare(*n.below) >= 0:
		return e.fail("exclusiveMaximum", "%s is not less than %s", v, *n.below)
	case n.multipleOf != nil && !number.multipleOf(*n.multipleOf):
		return e.fail("multipleOf", "%s is not a multiple of %s", v, *n.multipleOf)
	}
	return nil
}

func (e *evaluation) text() *Violation {
	n := e.node
	if n.minLength == nil && n.maxLength == nil && n.pattern == nil && n.format == nil {
		return nil
	}
	text := textOf(e.value)
	if stop := e.spend(len(text) / 64); stop != nil {
		return stop
	}
	if n.minLength != nil || n.maxLength != nil {
		length := utf8.RuneCountInString(text)
		switch {
		case n.minLength != nil && length < *n.minLength:
			return e.fail("minLength", "%s has %d characters, the least is %d", quoted(text), length, *n.minLength)
		case n.maxLength != nil && length > *n.maxLength:
			return e.fail("maxLength", "%s has %d characters, the most is %d", quoted(text), length, *n.maxLength)
		}
	}
	if n.pattern != nil {
		if ok, stop := e.matches(n.pattern, text); stop != nil {
			return stop
		} else if !ok {
			return e.fail("pattern", "%s does not match the pattern %s", quoted(text), quoted(n.pattern.String()))
		}
	}
	if n.format != nil {
		if stop := e.spend(len(text)); stop != nil {
			return stop
		}
		if err := n.format.check(text); err != nil {
			return e.fail("format", "%s is no %s: %v", quoted(text), n.format.name, err)
		}
	}
	return nil
}

// matches reports whether a text holds a match of a pattern.
func (c *checker) matches(p *pattern, text string) (ok bool, stop *Violation) {
	// A step of a pattern takes a fraction of the time of one here.
	if stop := c.spend64(1 + int64(len(text))*int64(p.steps)/16); stop != nil {
		return false, stop
	}
	return p.MatchString(text), nil
}

// references follows $ref and $dynamicRef.
func (e *evaluation) references() *Violation {
	if e.node.ref != nil {
		if violation := e.also(e.node.ref); violation != nil {
			return violation
		}
	}
	target := e.node.dynamicRef
	if target == nil {
		return nil
	}
	if name := e.node.dynamicName; name != "" && target.dynamicAnchor == name {
		for _, r := range e.scope {
			if outer, ok := r.anchors[name]; ok {
				target = outer
				break
			}
		}
		if stop := e.spend(len(e.scope)); stop != nil {
			return stop
		}
	}
	return e.also(target)
}

// combinations checks allOf, anyOf, oneOf, not and if.
func (e *evaluation) combinations() *Violation {
	n := e.node
	for _, sub := range n.allOf {
		if violation := e.also(sub); violation != nil {
			return violation
		}
	}
	if len(n.anyOf) > 0 {
		matched := false
		for _, sub := range n.anyOf {
			if matched = e.meets(sub) || matched; matched && !e.collect || e.stopped != nil {
				break
			}
		}
		if !matched {
			return e.none("anyOf", n.anyOf)
		}
	}
	if len(n.oneOf) > 0 {
		if violation := e.one(); violation != nil {
			return violation
		}
	}
	if n.not != nil && e.apart().meets(n.not) {
		return e.fail("not", "%s meets the schema that it must not meet", shown{e.value})
	}
	if n.when != nil {
		if e.meets(n.when) {
			if n.then != nil {
				return e.also(n.then)
			}
		} else if n.otherway != nil && e.stopped == nil {
			return e.also(n.otherway)
		}
	}
	return nil
}

// apart is the evaluation without what it has looked at.
func (e *evaluation) apart() *evaluation {
	return &evaluation{checker: e.checker, node: e.node, value: e.value}
}

func (e *evaluation) one() *Violation {
	first := -1
	for i, sub := range e.node.oneOf {
		switch {
		case e.stopped != nil:
			return e.stopped
		case first >= 0 && e.apart().meets(sub):
			return e.fail("oneOf", "%s meets both schema %d and schema %d of oneOf", shown{e.value}, first, i)
		case first < 0 && e.meets(sub):
			first = i
		}
	}
	if first < 0 {
		return e.none("oneOf", e.node.oneOf)
	}
	return nil
}

// none is the violation by a value that meets none of some schemas. It tells what the value does not meet in the one that
// it follows the furthest.
func (e *evaluation) none(keyword string, schemas []*node) *Violation {
	if e.quiet > 0 || e.stopped != nil {
		return silent
	}
	var nearest *Violation
	for _, sub := range schemas {
		_, violation := e.eval(sub, e.value, false)
		if e.stopped != nil {
			return e.stopped
		}
		if violation != nil && (nearest == nil || len(violation.Path) > len(nearest.Path)) {
			nearest = violation
		}
	}
	if nearest == nil {
		return e.fail(keyword, "%s meets none of the %d schemas of %s", shown{e.value}, len(schemas), keyword)
	}
	return e.fail(keyword, "%s meets none of the %d schemas of %s; of one of them: %v", shown{e.value}, len(schemas), keyword, nearest)
}
