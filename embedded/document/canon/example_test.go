package canon_test

import (
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func ExampleEncode() {
	v, err := value.ParseJSON([]byte(`{"b":[true,1.5],"":null,"a/~":{"$date":"1970-01-01T00:00:00Z"}}`))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%X\n", canon.Encode(v))
	// Output: A360F6616282F5F93E0063612F7EC100
}

func ExampleDecode() {
	_, err := canon.Decode([]byte{0xa2, 0x61, 'b', 0x01, 0x61, 'a', 0x02})
	fmt.Println(err)
	// Output: not canonical CBOR at byte 4: map key "a" out of order; keys are sorted by their encoded bytes
}

func ExampleWalk() {
	v, _ := value.ParseJSON([]byte(`{"b":[true,1.5],"":null}`))
	err := canon.Walk(canon.Encode(v), func(n *canon.Node) error {
		fmt.Printf("%q [%X] %X\n", n.Path.Pointer(), []byte(n.Path), n.Leaf)
		return nil
	})
	fmt.Println(err)
	// Output:
	// "" [] A2
	// "/" [60] F6
	// "/b" [6162] 82
	// "/b/0" [616200] F5
	// "/b/1" [616201] F93E00
	// <nil>
}

func ExampleResolvePointer() {
	v, _ := value.ParseJSON([]byte(`{"lines":[{"sku":"A-1"}]}`))
	body := canon.Encode(v)
	path, subtree, exists, _ := canon.ResolvePointer(body, "/lines/0/sku")
	fmt.Printf("%v %X %X\n", exists, []byte(path), subtree)
	path, _, exists, _ = canon.ResolvePointer(body, "/lines/1/sku")
	fmt.Printf("%v, deepest is %s\n", exists, path)
	// Output:
	// true 656C696E65730063736B75 63412D31
	// false, deepest is /lines
}
