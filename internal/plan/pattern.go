package plan

import (
	"regexp/syntax"
	"unicode/utf8"
)

// literalPrefix returns the text with which every string begins that a pattern matches, if the pattern begins with ^ and
// such a text. complete says that all strings that begin with it match.
func literalPrefix(pattern string) (prefix string, anchored, complete bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || re.Sub[0].Op != syntax.OpBeginText {
		return "", false, false
	}
	literal := re.Sub[1] // a concatenation has two parts at least
	if literal.Op != syntax.OpLiteral || literal.Flags&syntax.FoldCase != 0 {
		return "", false, false
	}
	for _, r := range literal.Rune {
		if !utf8.ValidRune(r) { // matches nothing, and could not be written
			return "", false, false
		}
	}
	return string(literal.Rune), true, len(re.Sub) == 2
}
