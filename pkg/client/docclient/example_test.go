package docclient_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/codenotary/immudb/pkg/client"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// A document is stored, changed and read, each time verified. It needs a server
// at 127.0.0.1:3322.
func ExampleOpen() {
	ctx := context.Background()
	options := docclient.DefaultOptions().
		WithImmudb(client.DefaultOptions().WithAddress("127.0.0.1").WithPort(3322).WithDir("state")).
		WithUser("immudb", "immudb").
		WithDatabase("defaultdb")
	c, err := docclient.Open(ctx, options)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)

	if _, err := c.CreateCollection(ctx, "people", docclient.CollectionOptions{}); err != nil {
		log.Fatal(err)
	}
	ada, err := value.ParseJSON([]byte(`{"_id":"ada","born":1815}`))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Insert(ctx, "people", docclient.Op{Document: ada}); err != nil {
		log.Fatal(err)
	}
	patch, err := value.ParseJSON([]byte(`{"died":1852}`))
	if err != nil {
		log.Fatal(err)
	}
	first := uint64(1)
	if _, err := c.Update(ctx, "people", docclient.Op{ID: value.String("ada"), Patch: patch, IfRevision: &first}); err != nil {
		log.Fatal(err)
	}
	for document, err := range c.Scan(ctx, "people", docclient.ListOptions{}).Documents() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, revision %d of transaction %d\n", document.Value.AppendJSON(nil), document.Revision, document.Tx)
	}
}

// A service with many requests at once borrows a session for each.
func ExamplePool() {
	ctx := context.Background()
	pool, err := docclient.NewPool(docclient.DefaultOptions(), 16)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close(ctx)

	err = pool.Do(ctx, func(c *docclient.Client) error {
		document, err := c.Get(ctx, "people", value.String("ada"), docclient.Moment{})
		if err != nil {
			return err
		}
		fmt.Println(document.Revision)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Evidence of one property is made for somebody who holds nothing but a state of
// the database that he trusts.
func ExampleClient_Prove() {
	ctx := context.Background()
	c, err := docclient.Open(ctx, docclient.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)

	evidence, shown, err := c.Prove(ctx, "people", value.String("ada"), docclient.Claim{
		Properties: []string{"/born"},
		Absent:     []string{"/address"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s = %s\n", shown.Properties[0].Pointer, shown.Properties[0].Value.AppendJSON(nil))
	file, err := evidence.Marshal()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes for anybody to verify\n", len(file))
}

// Documents are changed by filter in transactions of at most 500, each of which is
// verified; whoever is interrupted goes on behind the last id.
func ExampleClient_UpdateMatching() {
	ctx := context.Background()
	c, err := docclient.Open(ctx, docclient.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)

	where, err := value.ParseJSON([]byte(`{"city":"London"}`))
	if err != nil {
		log.Fatal(err)
	}
	patch, err := value.ParseJSON([]byte(`{"zone":"UTC"}`))
	if err != nil {
		log.Fatal(err)
	}
	batch := docclient.MatchingOptions{Limit: 500}
	for {
		changed, err := c.UpdateMatching(ctx, "people", where, patch, batch)
		if err != nil {
			log.Fatalf("behind %s: %v", batch.After.AppendJSON(nil), err)
		}
		if !changed.More {
			break
		}
		batch.After = changed.Documents[len(changed.Documents)-1].ID
	}
}

// A list is written as evidence, one file a line, with no further requests.
func ExampleList_Evidence() {
	ctx := context.Background()
	c, err := docclient.Open(ctx, docclient.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)

	list := c.Scan(ctx, "people", docclient.ListOptions{})
	for _, err := range list.Documents() {
		if err != nil {
			log.Fatal(err)
		}
		evidence, err := list.Evidence()
		if err != nil {
			log.Fatal(err)
		}
		line, err := evidence.MarshalLine()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s", line)
	}
}

// A program follows the changes of a collection and goes on where it was when it is
// started again. It needs a server at 127.0.0.1:3322.
func ExampleClient_Watch() {
	ctx := context.Background()
	c, err := docclient.Open(ctx, docclient.DefaultOptions().WithUser("immudb", "immudb"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	token := "" // kept by the run before
	watch := c.Watch(ctx, "people", docclient.WatchOptions{ResumeToken: token})
	for change, err := range watch.Changes() {
		var truncated *docclient.TruncatedError
		switch {
		case errors.As(err, &truncated):
			fmt.Println(truncated)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%s of %s in transaction %d\n", change.Operation, change.ID.AppendJSON(nil), change.Tx)
		}
		token = watch.ResumeToken()
	}
	fmt.Println("to go on with:", token)
}
