package update_test

import (
	"fmt"
	"log"
	"time"

	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// What operators make of a document.
func ExampleChange_Apply() {
	operators, err := value.ParseJSON([]byte(`{"$inc":{"stock":-1},"$push":{"log":{"$each":["sold"],"$slice":-2}}}`))
	if err != nil {
		log.Fatal(err)
	}
	change, err := update.Parse(operators)
	if err != nil {
		log.Fatal(err)
	}
	doc, err := value.ParseJSON([]byte(`{"_id":"pen","stock":9223372036854775808,"log":["made","sold"]}`))
	if err != nil {
		log.Fatal(err)
	}
	after, err := change.Apply(doc, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(after.AppendJSON(nil)))
	// Output:
	// {"_id":"pen","log":["sold","sold"],"stock":9223372036854775807}
}
