package proof_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// trusted is a state that the reader of the file has from a source it trusts.
func trusted() proof.TrustedState {
	state := proof.State{TxID: 6}
	copy(state.Alh[:], must(hex.DecodeString("1011badb9f097e602d4b06ef59484412b896a6ad281e01ee8f3522dcca59273a")))
	return proof.TrustedState{Database: "defaultdb", State: state}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func ExampleEvidence_Verify() {
	file, err := os.ReadFile("testdata/vectors/evidence/mixed.immudoc.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence, err := proof.Parse(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := evidence.Verify(proof.Expect{
		Database:   "defaultdb",
		Collection: "people",
		ID:         value.String("ada"),
		Properties: []string{"/age", "/tags/0", "/address"},
		Absent:     []string{"/b", "/tags/3", "/address/country"},
	}, trusted())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("revision", verified.Revision, "in transaction", verified.TxID)
	for _, p := range verified.Properties {
		fmt.Printf("%s = %s\n", p.Pointer, p.Value.AppendJSON(nil))
	}
	fmt.Println("absent:", verified.Absent)
	// Output:
	// revision 1 in transaction 1
	// /age = 36
	// /tags/0 = "a"
	// /address = {"geo":{"lat":51.5,"lon":-0.1},"city":"London","lines":["1 St","2 St"]}
	// absent: [/b /tags/3 /address/country]
}

// A file shows nothing by itself; what it says about itself may be read, but is
// not verified.
func ExampleEvidence_Expect() {
	file, err := os.ReadFile("testdata/vectors/evidence/tombstone.immudoc.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence, err := proof.Parse(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	suggested, err := evidence.Expect()
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := evidence.Verify(suggested, nil)
	fmt.Println(errors.Is(err, proof.ErrUnanchored), verified.Operation, verified.Tombstone)
	// Output: true delete true
}

// The error names the check that a proof fails.
func ExampleCheckError() {
	file, err := os.ReadFile("testdata/vectors/evidence/tampered-salt.immudoc.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence, err := proof.Parse(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	suggested, err := evidence.Expect()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = evidence.Verify(suggested, trusted())
	var check *proof.CheckError
	fmt.Println(errors.As(err, &check) && check.Check == proof.CheckRoot)
	fmt.Println(err)
	// Output:
	// true
	// proof refused: property root: the leaves shown do not have the manifest's property root
}
