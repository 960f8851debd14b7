package filter

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// list checks the operand of an operator that takes a list.
func list(at place.Place, op string, operand value.Value) error {
	if operand.Kind() != value.KindArray {
		return failf(at, "%s needs an array, not %s", op, wording.Kind(operand.Kind()))
	}
	if n := operand.Len(); n > MaxList {
		return failf(at, "%s of %d values, the limit is %d", op, n, MaxList)
	}
	return nil
}

func (p *parser) in(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	if err := list(at, at[len(at)-1], operand); err != nil {
		return nil, err
	}
	values := make([]value.Value, 0, operand.Len())
	for i, v := range operand.Elements() {
		if expression.HasOperators(v) {
			return nil, failf(at.In(strconv.Itoa(i)), "an operator among the values of %s; use $or for several conditions", at[len(at)-1])
		}
		values = append(values, v)
	}
	slices.SortStableFunc(values, value.Compare)
	values = slices.CompactFunc(values, func(a, b value.Value) bool { return value.Compare(a, b) == 0 })
	return In{Path: path, Values: values}, nil
}

// not reads $not, whose operand is an object of operators.
func (p *parser) not(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	if !expression.HasOperators(operand) {
		return nil, failf(at, "$not needs an object of operators; to be different from a value is $ne")
	}
	of, err := p.operators(at, path, operand)
	if err != nil {
		return nil, err
	}
	return Not{Of: all(of)}, nil
}

func (p *parser) exists(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	want, ok := operand.AsBool()
	if n, isInt := operand.AsInt(); isInt && (n == 0 || n == 1) {
		want, ok = n == 1, true
	}
	if !ok {
		return nil, failf(at, "$exists needs true or false, not %s", wording.Kind(operand.Kind()))
	}
	if !want {
		return Not{Of: Exists{Path: path}}, nil
	}
	return Exists{Path: path}, nil
}

// typeNames are the names and the numbers that $type takes. There is one integer type, which int and long both name.
var typeNames = map[string]Kinds{
	"null": kinds(value.KindNull), "bool": kinds(value.KindBool), "string": kinds(value.KindString),
	"object": kinds(value.KindObject), "array": kinds(value.KindArray), "uuid": kinds(value.KindUUID), "bytes": kinds(value.KindBytes),
	"int": kinds(value.KindInt, value.KindUint), "long": kinds(value.KindInt, value.KindUint), "uint": kinds(value.KindUint),
	"float": kinds(value.KindFloat), "double": kinds(value.KindFloat), "decimal": kinds(value.KindDecimal),
	"number":    kinds(value.KindInt, value.KindUint, value.KindFloat, value.KindDecimal),
	"timestamp": kinds(value.KindTimestamp), "date": kinds(value.KindTimestamp),
	"binData": kinds(value.KindBytes, value.KindUUID),

	"1": kinds(value.KindFloat), "2": kinds(value.KindString), "3": kinds(value.KindObject), "4": kinds(value.KindArray),
	"5": kinds(value.KindBytes, value.KindUUID), "8": kinds(value.KindBool), "9": kinds(value.KindTimestamp), "10": kinds(value.KindNull),
	"16": kinds(value.KindInt, value.KindUint), "18": kinds(value.KindInt, value.KindUint), "19": kinds(value.KindDecimal),
}

func kinds(of ...value.Kind) (set Kinds) {
	for _, k := range of {
		set |= 1 << k
	}
	return set
}

func (p *parser) types(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	operands := []value.Value{operand}
	if operand.Kind() == value.KindArray {
		if operand.Len() == 0 || operand.Len() > len(typeNames) {
			return nil, failf(at, "$type needs one to %d types, not %d", len(typeNames), operand.Len())
		}
		operands = operands[:0]
		for _, v := range operand.Elements() {
			operands = append(operands, v)
		}
	}
	var set Kinds
	for _, v := range operands {
		name, isName := v.AsString()
		if n, isNumber := v.AsInt(); isNumber {
			name, isName = strconv.FormatInt(n, 10), true
		}
		of, known := typeNames[name]
		if !isName || !known {
			return nil, failf(at, "unknown type %s; there are null bool int long uint double float decimal number string bytes uuid "+
				"binData date timestamp array object", short(v))
		}
		set |= of
	}
	return Type{Path: path, Kinds: set}, nil
}

// allOf reads $all: each of its values must be matched, or, where they are $elemMatch, met.
func (p *parser) allOf(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	if err := list(at, "$all", operand); err != nil {
		return nil, err
	}
	if operand.Len() == 0 {
		return Or{}, nil // nothing has it all
	}
	var of []Expr
	for i, v := range operand.Elements() {
		here := at.In(strconv.Itoa(i))
		if err := p.count(here); err != nil {
			return nil, err
		}
		if !expression.HasOperators(v) {
			of = append(of, Compare{Path: path, Value: v})
			continue
		}
		inner, ok := v.Get("$elemMatch")
		if !ok || v.Len() != 1 {
			return nil, failf(here, "$all takes values, or objects with $elemMatch alone")
		}
		e, err := p.elemMatch(here.In("$elemMatch"), path, inner)
		if err != nil {
			return nil, err
		}
		of = append(of, e)
	}
	return all(of), nil
}

func (p *parser) elemMatch(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	if operand.Kind() != value.KindObject {
		return nil, failf(at, "$elemMatch needs an object, not %s", wording.Kind(operand.Kind()))
	}
	p.indexes += path.Indexes()
	p.elements++
	defer func() {
		p.indexes -= path.Indexes()
		p.elements--
	}()
	if !expression.HasOperators(operand) || hasLogic(operand) {
		of, err := p.filter(at, operand)
		if err != nil {
			return nil, err
		}
		return ElemMatch{Path: path, Of: of}, nil
	}
	of, err := p.operators(at, fieldpath.Path{}, operand)
	if err != nil {
		return nil, err
	}
	return ElemMatch{Path: path, Of: all(of), Whole: true}, nil
}

// hasLogic tells a filter that begins with an operator from operators on a value.
func hasLogic(operand value.Value) bool {
	for key := range operand.Members() {
		switch key {
		case "$and", "$or", "$nor", "$expr":
			return true
		}
	}
	return false
}

func (p *parser) size(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	n, ok := operand.AsInt()
	if !ok || n < 0 || n > 1<<31-1 {
		return nil, failf(at, "$size needs a number of elements, not %s", short(operand))
	}
	return Size{Path: path, Count: int(n)}, nil
}

func (p *parser) mod(at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
	divisor, ok1 := operand.Index(0).AsInt()
	remainder, ok2 := operand.Index(1).AsInt()
	if operand.Len() != 2 || !ok1 || !ok2 {
		return nil, failf(at, "$mod needs [divisor, remainder], two integers")
	}
	if divisor == 0 {
		return nil, failf(at, "$mod by 0")
	}
	return Mod{Path: path, Divisor: divisor, Remainder: remainder}, nil
}

// regex reads $regex with its $options, null where there are none.
func (p *parser) regex(at place.Place, path fieldpath.Path, pattern, options value.Value) (Expr, error) {
	text, ok := pattern.AsString()
	if !ok {
		return nil, failf(at, "$regex needs a string, not %s", wording.Kind(pattern.Kind()))
	}
	if len(text) > MaxPattern {
		return nil, failf(at, "a pattern of %d bytes, the limit is %d", len(text), MaxPattern)
	}
	flags, ok := options.AsString()
	if !ok && !options.IsNull() {
		return nil, failf(at, "$options needs a string, not %s", wording.Kind(options.Kind()))
	}
	for i, f := range flags {
		if !strings.ContainsRune("ims", f) || strings.ContainsRune(flags[:i], f) {
			return nil, failf(at, "$options %q: there are i (any case), m (lines) and s (dot matches a line feed), each once", flags)
		}
	}
	prefix := ""
	if flags != "" {
		prefix = "(?" + flags + ")"
	}
	tree, err := syntax.Parse(prefix+text, syntax.Perl)
	steps := 0
	if err == nil {
		steps = programSize(tree)
		if p.program += steps; p.program > MaxProgram {
			return nil, failf(at, "the patterns of the filter are too large: their repetitions make more than %d steps, the limit", MaxProgram)
		}
	}
	var re *regexp.Regexp
	if err == nil {
		re, err = regexp.Compile(prefix + text)
	}
	if err != nil {
		return nil, failf(at, "the pattern is not RE2: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return Regex{Path: path, Pattern: re, Steps: steps}, nil
}

// programSize is how many steps a pattern has once its repetitions are written out, roughly.
func programSize(re *syntax.Regexp) int {
	const most = 1 << 30
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n = min(n+programSize(sub), most)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(1, re.Min, re.Max), most)
	}
	return n
}

// short is a value in a message.
func short(v value.Value) string { return wording.Value(v, 40) }
