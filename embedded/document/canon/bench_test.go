package canon_test

import (
	"testing"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

// order500 is a document of about 500 bytes as applications store them.
const order500 = `{"customer":{"name":"Ada Lovelace","email":"ada@example.org","address":{"street":"12 St James's Square",` +
	`"city":"London","zip":"SW1Y 4JH"}},"number":100042,"status":"shipped","total":{"$numberDecimal":"149.90"},"paid":true,` +
	`"currency":"GBP","created":{"$date":"2024-05-17T09:30:00.25Z"},"lines":[{"sku":"A-1001","quantity":2,"price":24.95,` +
	`"tags":["book","gift"]},{"sku":"B-2002","quantity":1,"price":100.0,"tags":["hardware"]}],"weight":3.75,"notes":null,` +
	`"tracking":"JD014600003RQ","attempts":1,"customs":{"code":"49019900","origin":"GB"}}`

func BenchmarkAppend(b *testing.B) {
	v := parse(b, order500)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = canon.Append(dst[:0], v)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecode(b *testing.B) {
	body := encode(b, order500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := canon.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValid(b *testing.B) {
	body := encode(b, order500)
	b.ReportAllocs()
	for b.Loop() {
		if err := canon.Valid(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWalker(b *testing.B) {
	body := encode(b, order500)
	var w canon.Walker
	b.ReportAllocs()
	for b.Loop() {
		for w.Reset(nil, body); w.Next(); {
			_ = w.Node()
		}
	}
}

func BenchmarkResolvePointer(b *testing.B) {
	body := encode(b, order500)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok, err := canon.ResolvePointer(body, "/lines/1/tags/0"); err != nil || !ok {
			b.Fatal(err)
		}
	}
}
