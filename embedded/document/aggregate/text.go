package aggregate

import (
	"bytes"
	"encoding/json"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// ParseJSON reads the JSON text of a pipeline into the value that [Parse] takes. It is [value.ParseJSON], but keeps the order
// of the paths of a $sort: a value keeps none of an object's members, so the object becomes an array of objects with one each.
func ParseJSON(text []byte) (value.Value, error) {
	v, err := value.ParseJSON(text)
	if err != nil || v.Kind() != value.KindArray {
		return v, err
	}
	const sort = "$sort"
	var raw []map[string]json.RawMessage
	if isObjects := json.Unmarshal(text, &raw) == nil; !isObjects || len(raw) != v.Len() {
		return v, nil // which Parse will refuse
	}
	steps := make([]value.Value, v.Len())
	for i, s := range v.Elements() {
		steps[i] = s
		order, _ := s.Get(sort)
		if order.Kind() != value.KindObject || order.Len() < 2 {
			continue
		}
		var list []value.Value
		for _, key := range keysOf(raw[i][sort]) {
			direction, ok := order.Get(key)
			if !ok {
				break // not an object of paths
			}
			list = append(list, value.Null().With(key, direction))
		}
		if len(list) == order.Len() {
			steps[i] = s.With(sort, value.Array(list))
		}
	}
	return value.Array(steps), nil
}

// keysOf are the keys of a JSON object in the order of its text.
func keysOf(object json.RawMessage) (keys []string) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		name, ok := key.(string)
		var skipped json.RawMessage
		if !ok || d.Decode(&skipped) != nil {
			return nil
		}
		keys = append(keys, name)
	}
	return keys
}
