// Command device is a meter that keeps its readings in a ledger of its own and
// hands out a proof of one of them. It needs no server and no cgo:
//
//	GOOS=linux GOARCH=arm GOARM=6 CGO_ENABLED=0 go build ./examples/device
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "device:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) != 1 {
		return fmt.Errorf("usage: device FOLDER")
	}
	db, err := document.Open(args[0], document.DeviceOptions().WithName("meter-7").WithAuthor("meter-7"))
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err := db.Collection(ctx, "readings", document.Moment{}); err != nil {
		if _, err := db.CreateCollection(ctx, "readings", document.CollectionOptions{AppendOnly: true}); err != nil {
			return err
		}
	}
	kWh, err := value.Float(12.75)
	if err != nil {
		return err
	}
	doc, err := value.Object([]value.Member{
		{Key: "at", Value: value.Timestamp(time.Now())},
		{Key: "kWh", Value: kWh},
	})
	if err != nil {
		return err
	}
	reading, err := db.Insert(ctx, "readings", doc)
	if err != nil {
		return err
	}
	evidence, err := db.Evidence(ctx, reading, proof.Request{Properties: []string{"/kWh"}})
	if err != nil {
		return err
	}
	file, err := evidence.Marshal()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(file)
	return err
}
