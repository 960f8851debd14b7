package document_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// A database in a folder: a document goes in, changes, and is read as it was.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "immudoc")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := document.Open(dir, document.DefaultOptions().WithAuthor("ada"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	if _, err := db.CreateCollection(ctx, "invoices", document.CollectionOptions{}); err != nil {
		log.Fatal(err)
	}
	doc, err := value.ParseJSON([]byte(`{"_id":"2026-001","amount":12.75}`))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.Insert(ctx, "invoices", doc); err != nil {
		log.Fatal(err)
	}
	patch, err := value.ParseJSON([]byte(`{"paid":true}`))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.Update(ctx, "invoices", value.String("2026-001"), patch); err != nil {
		log.Fatal(err)
	}
	for revision, err := range db.History(ctx, "invoices", value.String("2026-001"), document.HistoryOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		json, err := revision.AppendJSON(nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(revision.Revision, revision.Operation, revision.Author, string(json))
	}
	// Output:
	// 1 insert ada {"_id":"2026-001","amount":12.75}
	// 2 update ada {"_id":"2026-001","paid":true,"amount":12.75}
}

// Evidence of one property is checked by somebody who has the file and a state
// of the ledger that he trusts.
func ExampleEngine_Evidence() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "immudoc")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := document.Open(dir, document.DefaultOptions().WithName("shop"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.CreateCollection(ctx, "invoices", document.CollectionOptions{}); err != nil {
		log.Fatal(err)
	}
	doc, err := value.ParseJSON([]byte(`{"_id":1,"amount":12.75,"customer":"Ada"}`))
	if err != nil {
		log.Fatal(err)
	}
	invoice, err := db.Insert(ctx, "invoices", doc)
	if err != nil {
		log.Fatal(err)
	}
	evidence, err := db.Evidence(ctx, invoice, proof.Request{Properties: []string{"/amount"}})
	if err != nil {
		log.Fatal(err)
	}
	file, err := evidence.Marshal() // goes to the auditor
	if err != nil {
		log.Fatal(err)
	}
	state, err := db.State(ctx) // reaches the auditor another way
	if err != nil {
		log.Fatal(err)
	}

	received, err := proof.Parse(file)
	if err != nil {
		log.Fatal(err)
	}
	shown, err := received.Verify(
		proof.Expect{Database: "shop", Collection: "invoices", ID: value.Int(1), Properties: []string{"/amount"}},
		proof.TrustedState{Database: "shop", State: state})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(shown.Properties[0].Pointer, shown.Properties[0].Value, "in revision", shown.Revision)
	// Output: /amount 12.75 in revision 1
}

// All documents that match a filter are changed in one transaction.
func ExampleEngine_UpdateMatching() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "immudoc")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := document.Open(dir, document.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.CreateCollection(ctx, "invoices", document.CollectionOptions{}); err != nil {
		log.Fatal(err)
	}
	parse := func(text string) value.Value {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			log.Fatal(err)
		}
		return v
	}
	for _, invoice := range []string{`{"_id":1,"due":2024}`, `{"_id":2,"due":2026}`, `{"_id":3,"due":2025}`} {
		if _, err := db.Insert(ctx, "invoices", parse(invoice)); err != nil {
			log.Fatal(err)
		}
	}
	due, err := filter.Parse(parse(`{"due":{"$lt":2026}}`))
	if err != nil {
		log.Fatal(err)
	}
	changed, err := db.UpdateMatching(ctx, "invoices", due, parse(`{"late":true}`), document.MatchingOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range changed.Documents {
		json, err := d.AppendJSON(nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(json), "revision", d.Revision)
	}
	// Output:
	// {"_id":1,"due":2024,"late":true} revision 2
	// {"_id":3,"due":2025,"late":true} revision 2
}

// Every change of a collection is followed in the order of the ledger, and a later
// run goes on where this one was.
func ExampleEngine_Watch() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "immudoc")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := document.Open(dir, document.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.CreateCollection(ctx, "readings", document.CollectionOptions{}); err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{`{"_id":1,"t":20.5}`, `{"_id":2,"t":21}`} {
		doc, err := value.ParseJSON([]byte(text))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := db.Insert(ctx, "readings", doc); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := db.Delete(ctx, "readings", value.Int(1)); err != nil {
		log.Fatal(err)
	}
	next := document.Position{Tx: 1} // the whole past
	for change, err := range db.Watch(ctx, "readings", document.FeedOptions{From: next}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.Tx, change.Operation, string(change.ID.AppendJSON(nil)))
		next = change.Position().Next() // to keep, for the next run
		if change.Deleted() {
			break
		}
	}
	fmt.Println("next:", next)
	// Output:
	// 2 insert 1
	// 3 insert 2
	// 4 delete 1
	// next: {4 1}
}

// A collection keeps its documents to a schema, and some values for good.
func ExampleEngine_AlterCollection() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "immudoc")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := document.Open(dir, document.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	rules := document.Rules{WriteOnce: []string{"serial"}, MaxSize: 1000}
	if _, err := db.CreateCollection(ctx, "devices", document.CollectionOptions{Rules: rules}); err != nil {
		log.Fatal(err)
	}
	schema, err := value.ParseJSON([]byte(`{"properties":{"serial":{"type":"string"},"volts":{"type":"number","maximum":60}}}`))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.AlterCollection(ctx, "devices", document.Alteration{Schema: &schema}); err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{`{"_id":1,"serial":"A7","volts":12}`, `{"_id":2,"serial":"A8","volts":230}`} {
		doc, err := value.ParseJSON([]byte(text))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := db.Insert(ctx, "devices", doc); err != nil {
			fmt.Println(err)
		}
	}
	patch, err := value.ParseJSON([]byte(`{"serial":"B1"}`))
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Update(ctx, "devices", value.Int(1), patch)
	fmt.Println(err)
	// Output:
	// collection devices, document 2: schema violation: /volts: 230 is more than 60 (maximum)
	// collection devices, document 1: write-once violation: /serial has a value, which stays as it is
}
