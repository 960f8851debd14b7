package value_test

import (
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func ExampleParseJSON() {
	v, err := value.ParseJSON([]byte(`{"name":"Ada","id":18446744073709551615,"price":12.50,"exact":{"$numberDecimal":"12.50"}}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(v)
	for key, member := range v.Members() {
		fmt.Println(key, member.Kind())
	}
	// Output:
	// {"id":18446744073709551615,"name":"Ada","exact":{"$numberDecimal":"12.50"},"price":12.5}
	// id uint
	// name string
	// exact decimal
	// price float
}

func ExampleSyntaxError() {
	_, err := value.ParseJSON([]byte("{\n  \"a\": 1,\n  \"a\": 2\n}"))
	fmt.Println(err)
	fmt.Println(errors.Is(err, value.ErrDuplicateKey))
	// Output:
	// JSON line 3, column 3 (offset 14): duplicate key "a"; give each key of an object once
	// true
}

func ExampleCompare() {
	a, _ := value.ParseJSON([]byte(`1`))
	b, _ := value.ParseJSON([]byte(`1.0`))
	fmt.Println(value.Compare(a, b), value.Equal(a, b))
	// Output: 0 false
}

func ExampleMergePatch() {
	doc, _ := value.ParseJSON([]byte(`{"title":"Goodbye!","author":{"given":"John","family":"Doe"}}`))
	patch, _ := value.ParseJSON([]byte(`{"title":"Hello!","author":{"family":null}}`))
	fmt.Println(value.MergePatch(doc, patch))
	// Output: {"title":"Hello!","author":{"given":"John"}}
}

func ExampleValue_With() {
	doc, _ := value.ParseJSON([]byte(`{"a":1}`))
	changed := doc.With("b", value.String("two")).Without("a")
	fmt.Println(doc, changed)
	// Output: {"a":1} {"b":"two"}
}
