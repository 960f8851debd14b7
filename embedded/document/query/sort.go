package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

// MaxSortFields is the greatest number of fields in a sort order.
const MaxSortFields = 32

// MaxKey is how many bytes of a sort key count. Documents that differ only behind them, in a long text for example, are the
// same to the order.
const MaxKey = 1024

// ErrSort is wrapped by the errors about sort orders.
var ErrSort = errors.New("invalid sort order")

// Sort is an order of documents: by its first field, where that is the same by the second, and so on. Documents that are
// the same in all fields stand in the order of their ids, ascending. The first MaxKey bytes of the sort key count.
//
// Values stand in the total order of [value.Compare], a missing one as null. Where a path leads to several values, in an
// array for example, the least counts, in descending order the greatest; an empty array stands before null.
type Sort []SortField

// SortField is one field of a sort order.
type SortField struct {
	Path       fieldpath.Path
	Descending bool
}

// ParseSort reads a sort order from text: paths, each with - in front for descending order, with commas between ("a,-b.c");
// or the object that MongoDB knows, with 1 and -1 as values ({"a":1,"b.c":-1}).
func ParseSort(text string) (Sort, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return parseSortObject(text)
	}
	var s Sort
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		path, descending := strings.CutPrefix(field, "-")
		if err := s.Add(path, descending); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parseSortObject reads the object form. The order of its members counts, which a value would not keep.
func parseSortObject(text string) (Sort, error) {
	bad := func() (Sort, error) {
		return nil, fmt.Errorf(`%w: want an object of paths with 1 or -1, as in {"a":1,"b.c":-1}`, ErrSort)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad()
	}
	var s Sort
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return bad()
		}
		direction, err := d.Token()
		n, ok := direction.(json.Number)
		if err != nil || !ok || n != "1" && n != "-1" {
			return bad()
		}
		if err := s.Add(key.(string), n == "-1"); err != nil {
			return nil, err
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') || d.More() {
		return bad()
	}
	return s, nil
}

// Add adds a field that counts where those before are the same.
func (s *Sort) Add(path string, descending bool) error {
	p, err := fieldpath.Parse(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSort, err)
	}
	if len(*s) == MaxSortFields {
		return fmt.Errorf("%w: more than %d fields, the limit", ErrSort, MaxSortFields)
	}
	for _, f := range *s {
		if f.Path.String() == path {
			return fmt.Errorf("%w: %q is named twice", ErrSort, path)
		}
	}
	*s = append(*s, SortField{Path: p, Descending: descending})
	return nil
}

// String returns the text that [ParseSort] reads.
func (s Sort) String() string {
	fields := make([]string, len(s))
	for i, f := range s {
		fields[i] = f.Path.String()
		if f.Descending {
			fields[i] = "-" + fields[i]
		}
	}
	return strings.Join(fields, ",")
}

// ByID reports whether the order is that of the ids alone, and whether it is descending.
func (s Sort) ByID() (descending, ok bool) {
	if len(s) == 0 {
		return false, true
	}
	return s[0].Descending, s[0].Path.String() == "_id"
}

// AppendKey appends the sort key of a document, cut at MaxKey bytes: the keys of two documents compare bytewise as the
// documents stand in the order. No key that is not cut is the beginning of another one of the same order.
func AppendKey[N fieldpath.Node[N]](s Sort, dst []byte, doc N) []byte {
	base := len(dst)
	for _, f := range s {
		start := len(dst)
		if dst = appendFieldKey(f, dst, doc); len(dst) > base+MaxKey {
			dst = dst[:base+MaxKey]
		}
		if f.Descending {
			for i := start; i < len(dst); i++ {
				dst[i] = ^dst[i]
			}
		}
		if len(dst) == base+MaxKey {
			break
		}
	}
	return dst
}

// appendFieldKey appends the least of the values that the field leads to, or the greatest.
func appendFieldKey[N fieldpath.Node[N]](f SortField, dst []byte, doc N) []byte {
	start := len(dst)
	var scratch []byte
	consider := func() {
		if c := bytes.Compare(scratch, dst[start:]); len(dst) == start || c != 0 && (c > 0) == f.Descending {
			dst = append(dst[:start], scratch...)
		}
	}
	fieldpath.Places(doc, f.Path, func(n N, present bool) bool {
		switch {
		case !present:
			scratch = keys.AppendOrdered(scratch[:0], value.Null())
		case n.Kind() != value.KindArray:
			scratch = keys.AppendOrdered(scratch[:0], n.Value())
		case n.Size() == 0:
			scratch = append(scratch[:0], keys.OrderedNothing)
		default:
			return n.Elements(func(e N) bool {
				scratch = keys.AppendOrdered(scratch[:0], e.Value())
				consider()
				return false
			})
		}
		consider()
		return false
	})
	if len(dst) == start { // no place: an empty array is on the way, or an index beyond the end
		dst = append(dst, keys.OrderedNothing)
	}
	return dst
}
