package jsonschema

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// pattern is a regular expression and how many steps a match takes for each byte of a text, roughly.
type pattern struct {
	*regexp.Regexp
	steps int
}

// patterns are those of one schema, by text. The reader of a schema compiles each several times.
type patterns struct {
	known map[string]*pattern
	steps int
}

var errProgram = fmt.Errorf("the patterns of the schema are too large: their repetitions make more than %d steps, the limit", MaxProgram)

func (p *patterns) compile(text string) (jsonschema.Regexp, error) {
	if known, ok := p.known[text]; ok {
		return known, nil
	}
	tree, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	steps := programSize(tree)
	if p.steps += steps; p.steps > MaxProgram {
		return nil, errProgram
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, notRE2(err)
	}
	p.known[text] = &pattern{re, steps}
	return p.known[text], nil
}

func parsePattern(text string) (*syntax.Regexp, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, notRE2(err)
	}
	return tree, nil
}

func notRE2(err error) error {
	return errors.New("the pattern is not RE2: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// programSize is how many steps a pattern has once its repetitions are written out, roughly.
func programSize(re *syntax.Regexp) int {
	const most = 1 << 30
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass: // found by halving
		n += len(re.Rune) / 16
	}
	for _, sub := range re.Sub {
		n = min(n+programSize(sub), most)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(1, re.Min, re.Max), most)
	}
	return n
}
