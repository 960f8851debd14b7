// Command dataset prints one of the real datasets of the demo and the tests as
// NDJSON on standard output:
//
//	dataset modules [FOLDER]     the Go modules that the build of the module in FOLDER selects (default: here)
//	dataset checksums [FOLDER]   the hashes of those modules, with references to them
//	dataset countries [FOLDER]   the countries of iso-codes (default: /usr/share/iso-codes/json)
//
// It never downloads anything; hack/datasets.sh sees to the sources.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/immudoc/immudoc/internal/dataset"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("usage: dataset modules|checksums|countries [FOLDER]")
	}
	folder := func(byDefault string) string {
		if len(args) == 2 {
			return args[1]
		}
		return byDefault
	}
	switch args[0] {
	case "modules":
		return dataset.WriteModules(context.Background(), os.Stdout, folder("."))
	case "checksums":
		return dataset.WriteChecksums(context.Background(), os.Stdout, folder("."))
	case "countries":
		return dataset.WriteCountries(os.Stdout, os.DirFS(folder("/usr/share/iso-codes/json")))
	}
	return fmt.Errorf("dataset: no dataset %q: there are modules, checksums and countries", args[0])
}
