package jsonschema

import "github.com/immudoc/immudoc/embedded/document/value"

// isDocument reports whether the value is the document itself, whose _id stands beside it.
func (e *evaluation) isDocument() bool {
	return len(e.path) == 0 && !e.id.IsNull() && e.value.Kind() == value.KindObject
}

// has reports whether the object has a property, _id included.
func (e *evaluation) has(name string) bool {
	if e.isDocument() && name == idField {
		return true
	}
	_, ok := e.value.Get(name)
	return ok
}

// object checks the keywords for objects.
func (e *evaluation) object() *Violation {
	n, v := e.node, e.value
	if v.Kind() != value.KindObject {
		return nil
	}
	switch {
	case n.minProperties != nil && v.Len() < *n.minProperties:
		return e.fail("minProperties", "it has %d properties, the least is %d", v.Len(), *n.minProperties)
	case n.maxProperties != nil && v.Len() > *n.maxProperties:
		return e.fail("maxProperties", "it has %d properties, the most is %d", v.Len(), *n.maxProperties)
	}
	if stop := e.spend(len(n.required)); stop != nil {
		return stop
	}
	for _, name := range n.required {
		if !e.has(name) {
			return e.fail("required", "property %s is missing", quoted(name))
		}
	}
	if violation := e.properties(); violation != nil {
		return violation
	}
	if violation := e.nameSchemas(); violation != nil {
		return violation
	}
	if len(n.dependentRequired)+len(n.dependentSchemas) == 0 {
		return nil
	}
	if e.isDocument() {
		if violation := e.dependent(idField); violation != nil {
			return violation
		}
	}
	for name := range v.Members() {
		if violation := e.dependent(name); violation != nil {
			return violation
		}
	}
	return nil
}

func (e *evaluation) properties() *Violation {
	n := e.node
	if len(n.properties)+len(n.patternProperties) == 0 && n.additional == nil && !n.closed {
		return nil
	}
	if sub, ok := n.properties[idField]; ok && e.isDocument() {
		if violation := e.within(sub, e.id, step{idField, -1}); violation != nil {
			return violation
		}
	}
	for name, member := range e.value.Members() {
		if stop := e.spend(1); stop != nil {
			return stop
		}
		s, known := step{name, -1}, false
		if sub, ok := n.properties[name]; ok {
			known = true
			if violation := e.within(sub, member, s); violation != nil {
				return violation
			}
		}
		for _, p := range n.patternProperties {
			ok, stop := e.matches(p.pattern, name)
			if stop != nil {
				return stop
			}
			if !ok {
				continue
			}
			known = true
			if violation := e.within(p.node, member, s); violation != nil {
				return violation
			}
		}
		switch {
		case known:
		case n.closed:
			return e.fail("additionalProperties", "property %s is not allowed", quoted(name))
		case n.additional != nil:
			known = true
			if violation := e.within(n.additional, member, s); violation != nil {
				return violation
			}
		}
		if known && e.collect {
			e.addName(name)
		}
	}
	return nil
}

// nameSchemas checks propertyNames.
func (e *evaluation) nameSchemas() *Violation {
	if e.node.propertyNames == nil {
		return nil
	}
	for name := range e.value.Members() {
		if _, violation := e.eval(e.node.propertyNames, value.UncheckedString(name), false); violation != nil {
			if e.stopped != nil {
				return e.stopped
			}
			return e.fail("propertyNames", "the name of property %s: %s", quoted(name), violation.Detail)
		}
	}
	return nil
}

// dependent checks what the presence of a property asks for.
func (e *evaluation) dependent(name string) *Violation {
	needed := e.node.dependentRequired[name]
	if stop := e.spend(1 + len(needed)); stop != nil {
		return stop
	}
	for _, other := range needed {
		if !e.has(other) {
			return e.fail("dependentRequired", "property %s is missing; where %s is it must be", quoted(other), quoted(name))
		}
	}
	if sub, ok := e.node.dependentSchemas[name]; ok {
		return e.also(sub)
	}
	return nil
}

// array checks the keywords for arrays.
func (e *evaluation) array() *Violation {
	n, v := e.node, e.value
	if v.Kind() != value.KindArray {
		return nil
	}
	switch {
	case n.minItems != nil && v.Len() < *n.minItems:
		return e.fail("minItems", "it has %d elements, the least is %d", v.Len(), *n.minItems)
	case n.maxItems != nil && v.Len() > *n.maxItems:
		return e.fail("maxItems", "it has %d elements, the most is %d", v.Len(), *n.maxItems)
	}
	if n.unique {
		if violation := e.distinct(); violation != nil {
			return violation
		}
	}
	if len(n.prefixItems) > 0 || n.items != nil {
		for i, element := range v.Elements() {
			sub := n.items
			if i < len(n.prefixItems) {
				sub = n.prefixItems[i]
			}
			if sub == nil {
				break
			}
			if stop := e.spend(1); stop != nil {
				return stop
			}
			if violation := e.within(sub, element, step{index: i}); violation != nil {
				return violation
			}
		}
		e.first = len(n.prefixItems)
		e.all = n.items != nil
	}
	if n.contains != nil {
		return e.containing()
	}
	return nil
}

// distinct checks uniqueItems.
func (e *evaluation) distinct() *Violation {
	seen := make(map[string]int, min(e.value.Len(), 1024))
	for i, element := range e.value.Elements() {
		if stop := e.spend(1); stop != nil {
			return stop
		}
		key, stop := e.key(element)
		if stop != nil {
			return stop
		}
		if first, ok := seen[string(key)]; ok {
			return e.fail("uniqueItems", "elements %d and %d are equal", first, i)
		}
		seen[string(key)] = i
	}
	return nil
}

// containing checks contains, minContains and maxContains.
func (e *evaluation) containing() *Violation {
	n, found, least := e.node, 0, 1
	if n.minContains != nil {
		least = *n.minContains
	}
	for i, element := range e.value.Elements() {
		e.quiet++
		violation := e.within(n.contains, element, step{index: i})
		e.quiet--
		if e.stopped != nil {
			return e.stopped
		}
		if violation != nil {
			continue
		}
		found++
		if e.collect {
			e.addItem(i)
		}
		if n.maxContains != nil && found > *n.maxContains {
			return e.fail("maxContains", "more than %d elements meet the schema of contains", *n.maxContains)
		}
		if !e.collect && n.maxContains == nil && found >= least {
			break
		}
	}
	if found < least {
		if n.minContains == nil {
			return e.fail("contains", "no element meets the schema of contains")
		}
		return e.fail("minContains", "%d elements meet the schema of contains, the least is %d", found, least)
	}
	return nil
}

// rest checks unevaluatedProperties and unevaluatedItems.
func (e *evaluation) rest() *Violation {
	switch {
	case e.value.Kind() == value.KindObject && e.node.unevaluatedProperties != nil:
		if e.all {
			return nil
		}
		for name, member := range e.value.Members() {
			if stop := e.spend(1); stop != nil {
				return stop
			}
			if e.names[name] {
				continue
			}
			if no := e.node.unevaluatedProperties.always; no != nil && !*no {
				return e.fail("unevaluatedProperties", "property %s is not allowed", quoted(name))
			}
			if violation := e.within(e.node.unevaluatedProperties, member, step{name, -1}); violation != nil {
				return violation
			}
		}
		e.all = true
	case e.value.Kind() == value.KindArray && e.node.unevaluatedItems != nil:
		if e.all {
			return nil
		}
		for i, element := range e.value.Elements() {
			if stop := e.spend(1); stop != nil {
				return stop
			}
			if i < e.first || e.items[i] {
				continue
			}
			if no := e.node.unevaluatedItems.always; no != nil && !*no {
				return e.fail("unevaluatedItems", "element %d is not allowed", i)
			}
			if violation := e.within(e.node.unevaluatedItems, element, step{index: i}); violation != nil {
				return violation
			}
		}
		e.all = true
	}
	return nil
}
